"""What every state is made of: fields in which the largest version wins, as records, and timelines of them.

A version is (version time ms, sequence). Of two values the later version time wins, then the larger sequence, then the larger
canonical JSON of the value, so that the outcome is the same in any order. Folding is therefore commutative, associative and
idempotent (a last-writer-wins map: Shapiro et al., "A comprehensive study of CRDTs", 2011, section 3.2).

A record keeps its fields by version, as most records have one version only: a list of layers with no field in two of them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

Fields: TypeAlias = Mapping[str, Any]
"""What is told of a record or an object, by field."""

Layer: TypeAlias = tuple[int, int, dict[str, Any]]
Record: TypeAlias = list[Layer]
"""Layers of fields, oldest version first."""

Register: TypeAlias = tuple[int, int, Any]
Timeline: TypeAlias = dict[int, Register]
"""By instant, the value that holds from it on, with its version."""

DELETED = "deleted"
"""The field of a record that says whether its source has deleted it; at equal versions a deletion wins (`true > false`)."""

MERGED = "merged"
"""The field of a subject's record that names whom it was merged into, as kind, colon and id; None where that was undone."""


def larger(new: Register, old: Register) -> bool:
    """Whether a value with its version replaces another."""
    if new[0] != old[0]:
        return new[0] > old[0]
    if new[1] != old[1]:
        return new[1] > old[1]
    return _canonical(new[2]) > _canonical(old[2])


def _canonical(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def put(record: Record, version: int, sequence: int, fields: dict[str, Any]) -> bool:
    """Put fields of one version into a record where they win; tell whether any did. The record may keep `fields` itself."""
    if not record:
        if fields:
            record.append((version, sequence, fields))
        return bool(fields)
    winning = {}
    for name, content in fields.items():
        old = register(record, name)
        if old is None or larger((version, sequence, content), old):
            winning[name] = content
    if winning:
        _replace(record, (version, sequence, winning))
    return bool(winning)


def _replace(record: Record, new: Layer) -> None:
    """Put a layer over all others in which its fields stand."""
    version, sequence, fields = new
    kept = []
    for old_version, old_sequence, held in record:
        left = {name: content for name, content in held.items() if name not in fields}
        if (old_version, old_sequence) == (version, sequence):
            fields = left | fields
        elif left:
            kept.append((old_version, old_sequence, left))
    record[:] = sorted([*kept, (version, sequence, fields)], key=_version)


def _version(layer: Layer) -> tuple[int, int]:
    return layer[:2]


def register(record: Record, name: str) -> Register | None:
    """A field with its version; None if it was never set."""
    for version, sequence, fields in record:
        if name in fields:
            return version, sequence, fields[name]
    return None


def fields_of(record: Record) -> Mapping[str, Any]:
    """What stands in a record, without versions. To be read only."""
    if len(record) == 1:
        return record[0][2]
    return {name: content for _, _, fields in record for name, content in fields.items()}


def standing(objects: Mapping[str, Record], kind: str) -> Iterator[tuple[str, Fields]]:
    """The names and fields of those objects of a kind that were not deleted."""
    for name, record in objects.items():
        if name.startswith(kind):
            fields = fields_of(record)
            if not fields.get(DELETED):
                yield name, fields


def put_span(timeline: Timeline, since: int, new: Register) -> bool:
    """Put a value into a timeline if it wins at its instant; tell whether it did."""
    old = timeline.get(since)
    if old is None or larger(new, old):
        timeline[since] = new
        return True
    return False


def merge_records(target: Record, other: Record) -> None:
    """Make a record the union of itself and another, in place."""
    for version, sequence, fields in other:
        put(target, version, sequence, dict(fields))


def merge_timelines(target: Timeline, other: Timeline) -> None:
    """Make a timeline the union of itself and another, in place."""
    for since, new in other.items():
        put_span(target, since, new)
