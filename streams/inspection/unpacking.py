"""What is packed in Redis, as rows of plain values: the one place here that knows how the engine packs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from models.state.lead import unpack as unpack_lead
from models.state.registers import Record, Register, Timeline
from models.sums import CHUNK, split_name
from models.sums import unpack as unpack_chunk

Row: TypeAlias = dict[str, Any]
"""Column → value. Instants are ms UTC."""


def lead_rows(packed: bytes) -> Iterator[Row]:
    """A lead: fields and timelines, objects, alerts (the last message, and which it was), and whose facts it was given."""
    lead, told = unpack_lead(packed)
    yield from _fields("", lead.record)
    yield from _timeline("owner", lead.owner)
    yield from _timeline("stage", lead.stage)
    for key, record in sorted(lead.everything.items()):
        yield from _fields(key, record)
    if lead.erased:
        yield _row("", "erased", value=True)
    if lead.retired_until:
        yield _row("", "retired", value=True, since=lead.retired_until)
    for name, last in sorted(told.items()):
        yield _row(f"alert:{name}", last.type, value=last.number)
    for portion in lead.absorbed.values():
        if portion.path:
            yield _row("", "absorbed", value=" > ".join(portion.path))


def _fields(name: str, record: Record) -> Iterator[Row]:
    told = ((field, (version, sequence, value)) for version, sequence, fields in record for field, value in fields.items())
    for field, register in sorted(told, key=lambda each: each[0]):
        yield _versioned(name, field, None, register)


def _timeline(field: str, timeline: Timeline) -> Iterator[Row]:
    for since, register in sorted(timeline.items()):
        yield _versioned("", field, since, register)


def _versioned(name: str, field: str, since: int | None, register: Register) -> Row:
    version, sequence, value = register
    return _row(name, field, value, since) | {"version": version, "sequence": sequence}


def _row(name: str, field: str, value: Any, since: int | None = None) -> Row:
    return {"object": name, "field": field, "since": since, "value": value, "version": None, "sequence": None}


def sum_rows(chunks: Mapping[int, bytes], names: Sequence[str], width: int = CHUNK) -> Iterator[Row]:
    """The sums of a pane, window or level, by the names of their series; zeros are not kept. `width`: series to a chunk."""
    for number, packed in sorted(chunks.items()):
        offsets, amounts = unpack_chunk(packed, width)
        for offset, amount in zip(offsets.tolist(), amounts.tolist(), strict=True):
            place = number * width + offset
            yield {**series_row(names[place] if place < len(names) else f"#{place}"), "amount": amount}


def series_row(name: str) -> Row:
    """A series' name taken apart: a measure (of a duration: a part of it), and the slice (nothing for the whole)."""
    measure, part, dim, value = split_name(name)
    return {"measure": measure, "part": part, "by": dim, "slice": value}
