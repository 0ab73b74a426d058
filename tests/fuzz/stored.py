"""What reads Redis: states and their pages, sums, records, members, messages, the KPI table. It may hold anything."""

from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Final

import msgspec
from build import DAY, NOON, RULES, call, lead, merged, reply
from engine import Engine
from fuzz.forms import MESSAGEPACK, TEXT
from fuzz.target import Target, read
from published import at_noon
from stored import CLOCK

from models.errors import LeadbeatError
from models.state import pages
from models.state.lead import Lead, is_huge, joined, pack, unpack, unpack_head
from models.state.rows import TouchRows
from models.state.told import Told
from models.sums import Sums, unpack_runs
from models.sums import unpack as unpack_chunk
from streams.inspection.unpacking import lead_rows, sum_rows
from streams.serving.table import Snapshot, advance, decode
from streams.tables import KpiTable, Progress, Waiting
from streams.tables.kpis import encode_changes
from streams.tables.rows import (
    Outgoing,
    decode_applied,
    decode_clock,
    decode_member,
    decode_outgoing,
    decode_waiting,
    encode_clock,
    encode_member,
    encode_outgoing,
    encode_progress,
    encode_waiting,
)
from streams.tables.server import reaching
from streams.valuation import Valuation, decode_valuation


@cache
def _lead() -> Lead:
    events = [call(f"t{number}", NOON - number, rep="ana") for number in range(20)]
    other = [lead(of="lead-0", created_at=NOON), merged("lead-1", of="lead-0")]
    own = [lead(created_at=NOON - DAY, owner="ana"), reply("r1", at=NOON, in_reply_to="t1")]
    return Engine(RULES).take(*events, *own, *other).leads["lead-1"]


def _states() -> list[bytes]:
    known, told = unpack(pack(_lead(), {"50": Told("warning", 1)}))
    known.pages = pages.paged(known.objects, 4)
    head = pack(known, told)
    return [pack(_lead(), told), head, joined(head, [each for each in known.pages.cut().values() if each]), pack(Lead(), {})]


def _state(data: bytes) -> None:
    """A state by itself, and the head of a huge one, whose pages come one by one."""
    known, told = unpack(data)
    assert all(lead_rows(data))
    if is_huge(data):
        unpack_head(data)
    else:
        packed = pack(known, told)
        assert pack(*unpack(packed)) == packed


def _paged() -> pages.Pages:
    """The touches of a lead with many of them."""
    known, _ = unpack(_states()[0])
    return pages.paged(known.objects, 4)


def _page(data: bytes) -> None:
    """A page of a huge lead, by itself and in its place."""
    assert all(isinstance(key, str) for key in pages.unpacked(data))
    held = pages.Pages(1, 4)
    held.take(0, data)
    joined(_states()[1], [data])


def _chunks() -> list[bytes]:
    cut = Engine(RULES).take(call("t1", NOON - DAY, rep="ana"), lead(created_at=NOON)).tick(NOON).save()
    return [*cut.windows["24h"].values(), *cut.levels.values(), b""]


def _chunk(data: bytes) -> None:
    """A chunk of sums by itself, among others, in its place, and as `leadbeat table` shows it."""
    offsets, amounts = unpack_chunk(data)
    assert len(offsets) == len(amounts)
    if data:
        assert unpack_runs([data, data])[2].tolist() == [len(offsets)] * 2
    sums = Sums(["calls"])
    sums.set_chunk(0, 1, data)
    assert all(sum_rows({0: data}, ["calls"]))


def _touches(data: bytes) -> None:
    """Rows of a huge lead."""
    rows = TouchRows.load({0: data})
    rows.change(None, (NOON, 1, 1, 0))
    assert len(rows.all()) > 0
    rows.cut()


def _record(data: bytes) -> None:
    """A partition's record, and the valuation in it."""
    fields = read(data, dict[str, str])
    if fields is None:
        return
    found = decode_applied(
        {name.encode(errors="replace"): text.encode(errors="replace") for name, text in fields.items()}, "lb"
    )
    decode_valuation(found.progress.valuation)


def _records() -> list[bytes]:
    valuation = Valuation(1, 1, "digest").encode()
    progress = encode_progress(Progress(17, "f00d", NOON, {0: NOON}, 1, valuation))
    fields = {name: text.decode() for name, text in progress.items()}
    return [msgspec.json.encode({"claim": "1", "token": "t", "seq": "2", "aside": "0"} | fields)]


def _member(data: bytes) -> None:
    with reaching("lb"):
        decode_member(data)


def _clock(data: bytes) -> None:
    with reaching("lb"):
        decode_clock(data)


def _waiting(data: bytes) -> None:
    with reaching("lb"):
        decode_waiting(data)


def _message(data: bytes) -> None:
    fields = read(data, dict[str, str])
    if fields is not None:
        with reaching("lb"):
            decode_outgoing({name.encode(errors="replace"): text.encode(errors="replace") for name, text in fields.items()})


def _messages() -> list[bytes]:
    found = []
    for each in (Outgoing("a", "t", b"k", b"{}", 3), Outgoing("a", "t", None, b"")):
        words = [word.decode() for word in encode_outgoing(each)]
        found.append(msgspec.json.encode(dict(zip(words[::2], words[1::2], strict=True))))
    return found


@cache
def _snapshot() -> Snapshot:
    return at_noon(call("c1", NOON - DAY, rep="ana"))


def _round(data: bytes) -> None:
    """A round's record, its rows, and what the next one changes, packed."""
    asked = read(data, _Table)
    if asked is None:
        return
    rows = {"1h": {name: row.encode(errors="replace") for name, row in asked.rows.items()}}
    snapshot = decode(KpiTable(asked.record, rows), "lb")
    advance(snapshot, asked.record, [encode_changes(rows)], "lb")


class _Table(msgspec.Struct):
    record: dict[str, str]
    rows: dict[str, str]


def _rows() -> dict[str, bytes]:
    return {key: msgspec.json.encode(row) for key, row in islice(_snapshot().rows["24h"].items(), 3)}


def _rounds() -> list[bytes]:
    snapshot = _snapshot()
    told = msgspec.to_builtins(snapshot.round)
    record = {
        name: msgspec.json.encode(value).decode() if isinstance(value, dict | bool) else str(value)
        for name, value in told.items()
    }
    rows = {key: row.decode() for key, row in _rows().items()}
    return [msgspec.json.encode(_Table(record, rows)), msgspec.json.encode(_Table({}, {}))]


def _changes(data: bytes) -> None:
    advance(_snapshot(), {}, [data], "lb")


TARGETS: Final[Mapping[str, Target]] = {
    "state": Target(_state, _states, (LeadbeatError,), MESSAGEPACK),
    "state-page": Target(_page, lambda: [each for each in _paged().cut().values() if each], (LeadbeatError,), MESSAGEPACK),
    "chunk": Target(_chunk, _chunks, (LeadbeatError,), MESSAGEPACK),
    "touch-rows": Target(_touches, lambda: [b"\0" * 64, b""], (LeadbeatError,), TEXT),
    "partition": Target(_record, _records, (LeadbeatError,)),
    "member": Target(_member, lambda: [encode_member("crm:1", NOON, 2).encode()], (LeadbeatError,)),
    "open-clock": Target(_clock, lambda: [encode_clock(CLOCK)], (LeadbeatError,)),
    "waiting": Target(
        _waiting, lambda: [encode_waiting(Waiting(1, None)), encode_waiting(Waiting(1, 2))], (LeadbeatError,), TEXT
    ),
    "message": Target(_message, _messages, (LeadbeatError,)),
    "round": Target(_round, _rounds, (LeadbeatError,)),
    "round-changes": Target(_changes, lambda: [encode_changes({"24h": {**_rows(), "x": None}})], (LeadbeatError,), MESSAGEPACK),
}
