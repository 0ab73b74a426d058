"""What every state is made of: registers in which the largest version wins, and records and timelines of them.

A register is (version time ms, sequence, value). Of two, the later version time wins, then the larger sequence, then the
larger canonical JSON of the value, so that the outcome is the same in any order. Folding is therefore commutative,
associative and idempotent (a last-writer-wins map: Shapiro et al., "A comprehensive study of CRDTs", 2011, section 3.2).
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

Register: TypeAlias = tuple[int, int, Any]
Record: TypeAlias = dict[str, Register]
Timeline: TypeAlias = dict[int, Register]

DELETED = "deleted"
"""The field of a record that says whether its source has deleted it; at equal versions a deletion wins (`true > false`)."""

MERGED = "merged"
"""The field of a subject's record that names whom it was merged into, as kind, colon and id; None where that was undone."""


def wins(new: Register, old: Register | None) -> bool:
    """Whether a register replaces another."""
    if old is None or new[0] != old[0]:
        return old is None or new[0] > old[0]
    if new[1] != old[1]:
        return new[1] > old[1]
    return _canonical(new[2]) > _canonical(old[2])


def _canonical(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def set_register(target: dict[Any, Register], key: str | int, register: Register) -> bool:
    """Put a register in its place if it wins there; tell whether it did."""
    if wins(register, target.get(key)):
        target[key] = register
        return True
    return False


def merge_registers(target: dict[Any, Register], other: Mapping[Any, Register]) -> None:
    """Make a record or timeline the union of itself and another, in place."""
    for key, register in other.items():
        set_register(target, key, register)


def value(record: Record, field: str) -> Any:
    """What a field holds; None if it was never set, or cleared."""
    register = record.get(field)
    return None if register is None else register[2]


def layers(record: Record) -> list[tuple[int, int, dict[str, Any]]]:
    """A record grouped by version, for packing: most objects come from one event, so it is one short layer."""
    grouped: dict[tuple[int, int], dict[str, Any]] = {}
    for field, (version, sequence, content) in record.items():
        grouped.setdefault((version, sequence), {})[field] = content
    return [(version, sequence, fields) for (version, sequence), fields in grouped.items()]


def from_layers(packed: list[tuple[int, int, dict[str, Any]]]) -> Record:
    """The inverse of `layers`."""
    return {field: (version, sequence, content) for version, sequence, fields in packed for field, content in fields.items()}
