"""The tables in Redis, read and unpacked; never written."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from models.errors import UNREADABLE, LeadbeatError
from models.members import DRILLED
from models.panes import CHUNK as PANE_CHUNK
from models.state.facts import TOUCH
from models.state.pages import unpacked
from models.sums import CHUNK
from models.windows import NOW, WINDOWS, Pane
from streams.errors import Fatal
from streams.inspection.asking import Asked
from streams.inspection.unpacking import Row, lead_rows, series_row, sum_rows
from streams.serving.table import Row as KpiRow
from streams.serving.table import decode, decode_row, place_of
from streams.tables import (
    BUCKETS,
    Applied,
    Keys,
    KpiKeys,
    Redis,
    bucket_of,
    check_layout,
    decode_changes,
    read_applied,
    read_erased,
    read_kept_changes,
    read_kpis,
    read_outbox,
    read_scores,
    read_series,
    read_whole,
)
from streams.tables.presence import read_present
from streams.tables.rows import decode_clock, decode_member, decode_waiting
from streams.tables.rules import read_all_rules
from streams.tables.server import ask, reaching
from streams.topics import partition_of, record_key

KPI_WINDOWS: Final = (*(window.name for window in WINDOWS), NOW)
START_ONE: Final = "start a worker, or check redis.url and redis.prefix"


@dataclass(frozen=True, slots=True)
class Place:
    """Where tables lie: under which prefix, in how many partitions."""

    redis: Redis
    prefix: str
    partitions: int


@dataclass(frozen=True, slots=True)
class Part:
    """A partition that somebody has claimed, with the keys of one generation, and what is asked of it (`rest`)."""

    redis: Redis
    keys: Keys
    rest: str
    record: Applied

    async def hash(self, key: str) -> dict[bytes, bytes]:
        """All fields of a hash; none where there is no such key."""
        with reaching(key):
            fields: dict[bytes, bytes] = await ask(self.redis, "HGETALL", key)
        return fields

    async def chunks(self, key: str) -> dict[int, bytes]:
        """All fields of a hash that are numbers."""
        return {int(number): packed for number, packed in (await self.hash(key)).items()}

    async def scores(self, key: str) -> AsyncIterator[tuple[bytes, int]]:
        """The members of a sorted set, ascending."""
        with reaching(key):
            async for member, score in read_scores(self.redis, self.keys, key):
                yield member, score

    async def sums(self, key: str, width: int) -> AsyncIterator[Row]:
        """The sums that lie in chunks of a width under a key."""
        chunks = await self.chunks(key)
        # The names are read behind the chunks: they are only ever added to.
        names = await self.names() if chunks else []
        for row in sum_rows(chunks, names, width):
            yield row

    async def names(self) -> list[str]:
        """The names of all series, by id."""
        with reaching(self.keys.series):
            return await read_series(self.redis, self.keys)

    async def parts(self) -> set[str]:
        """The names of the panes and windows that there are."""
        with reaching(self.keys.parts):
            return {name.decode() for name in await ask(self.redis, "SMEMBERS", self.keys.parts)}


async def read(place: Place, asked: Asked) -> AsyncIterator[Row]:
    """The rows of what is asked for. Raises Fatal for what is not there, Retry while Redis cannot be asked."""
    await check_layout(place.redis, place.prefix, place.partitions)
    match asked.name, asked.rest:
        case "kpi", "applied":
            rows = _round(place)
        case "kpi", "changes":
            rows = _changes(place)
        case "kpi", window:
            rows = _kpis(place, window)
        case "workers", _:
            rows = _workers(place)
        case "rules", _:
            rows = _rules(place)
        case "lead", subject:
            rows = _lead(place, subject)
        case _:
            rows = _of_parts(place, asked)
    try:
        async for row in rows:
            yield row
    except UNREADABLE as error:
        what = f"is not what this version writes: {error}"
        raise Fatal(str(asked), what, "find out who else writes under this prefix") from None


async def _of_parts(place: Place, asked: Asked) -> AsyncIterator[Row]:
    parts = await _claimed(place, asked)
    found = False
    for part in parts:
        async for row in READERS[asked.name](part):
            found = True
            yield {"partition": part.keys.partition} | row
    if not found and (fault := await _why_nothing(asked, parts)):
        raise fault


async def _claimed(place: Place, asked: Asked) -> list[Part]:
    """The partitions asked for, but for those that nobody has claimed: there is nothing of them."""
    if asked.partition is not None and asked.partition >= place.partitions:
        raise Fatal("partition", f"there is none with number {asked.partition}", f"they are 0 to {place.partitions - 1}")
    keys = [Keys(place.prefix, number) for number in range(place.partitions) if asked.partition in (None, number)]
    found = [
        Part(place.redis, each.of(asked.generation or record.progress.generation), asked.rest, record)
        for each, record in zip(keys, await read_applied(place.redis, keys), strict=True)
        if record is not None
    ]
    if not found:
        where = keys[0].applied if len(keys) == 1 else f"{place.prefix}:{{0…{len(keys) - 1}}}:applied"
        raise Fatal(where, "is not there: no worker has taken a partition yet", START_ONE)
    return found


async def _why_nothing(asked: Asked, parts: list[Part]) -> LeadbeatError | None:
    """What is wrong with a question that no partition has an answer to; None where the answer is just empty."""
    present = set().union(*[await part.parts() for part in parts])
    match asked.name:
        case "pane" if str(asked) not in present:
            size = asked.rest.partition(":")[0]
            starts = sorted(int(name.rpartition(":")[2]) for name in present if name.startswith(f"pane:{size}:"))
            what = f"nothing is counted there; panes of {size!r} that hold something: {len(starts)}"
            between = f", from {starts[0]} to {starts[-1]}" if starts else ""
            return Fatal(str(asked), what + between, "`leadbeat table parts` lists them")
        case "window" if str(asked) not in present and asked.rest not in KPI_WINDOWS[:-1]:
            return Fatal(str(asked), "there is no such window", f"one of {', '.join(KPI_WINDOWS[:-1])}")
        case "members":
            return Fatal(str(asked), "nobody is kept there", f"one of {', '.join(DRILLED.values())}")
    return None


async def _applied(part: Part) -> AsyncIterator[Row]:
    record, progress = part.record, part.record.progress
    valuation = msgspec.json.decode(progress.valuation) if progress.valuation else None
    yield {
        "claim": record.claim,
        "token": record.token,
        "seq": record.seq,
        "aside": record.aside,
        "offset": progress.offset,
        "fingerprint": progress.fingerprint,
        "clock": progress.clock,
        "ticks": {str(source): at for source, at in progress.ticks.items()},
        "generation": progress.generation,
        "valuation": valuation,
    }


async def _bucket(part: Part) -> AsyncIterator[Row]:
    kind, _, bucket = part.rest.partition(":")
    if kind != "lead" or bucket not in map(str, range(BUCKETS)):
        raise Fatal(f"state:{part.rest}", "there is no such bucket", f"state:lead:0 to state:lead:{BUCKETS - 1}")
    for subject, packed in sorted((await part.hash(part.keys.state(int(bucket)))).items()):
        yield {"subject": subject.decode(), "bytes": len(packed)}


async def _pages(part: Part) -> AsyncIterator[Row]:
    for number, packed in sorted((await part.chunks(part.keys.pages(_subject(part)))).items()):
        yield {"page": number, "touches": len(unpacked(packed)), "bytes": len(packed)}


async def _rows(part: Part) -> AsyncIterator[Row]:
    for start, rows in sorted((await part.chunks(part.keys.rows(_subject(part)))).items()):
        yield {"start": start, "touches": len(rows) // TOUCH.itemsize, "bytes": len(rows)}


def _subject(part: Part) -> str:
    kind, _, subject = part.rest.partition(":")
    if kind != "lead":
        raise Fatal(part.rest, "is no lead", "name it as lead:CONNECTION:ID")
    return subject


async def _parts(part: Part) -> AsyncIterator[Row]:
    for name in sorted(await part.parts()):
        kind, _, rest = name.partition(":")
        size, _, start = rest.partition(":") if kind == "pane" else (rest, "", "")
        yield {"kind": kind, "name": size, "start": int(start) if start else None}


def _sums(part_of: Callable[[str], str]) -> Callable[[Part], AsyncIterator[Row]]:
    """A reader of the sums in a part of the generation."""
    return lambda part: part.sums(part.keys.part(part_of(part.rest)), CHUNK)


def _pane(part: Part) -> AsyncIterator[Row]:
    """The sums in a pane, `<size>:<start>`; its size says how wide its chunks are."""
    size = part.rest.partition(":")[0]
    width = PANE_CHUNK[Pane(size)] if size in set(Pane) else CHUNK
    return part.sums(part.keys.part(f"pane:{part.rest}"), width)


async def _oldest(part: Part) -> AsyncIterator[Row]:
    for name, packed in sorted((await part.hash(part.keys.oldest)).items()):
        yield {**_slice(name.decode()), **decode_waiting(packed)._asdict()}


async def _series(part: Part) -> AsyncIterator[Row]:
    for number, name in enumerate(await part.names()):
        yield {"id": number, **series_row(name)}


async def _changed(part: Part) -> AsyncIterator[Row]:
    async for member, seq in part.scores(part.keys.changed):
        yield {"seq": seq, "what": member.decode()}


async def _due(part: Part) -> AsyncIterator[Row]:
    async for subject, at in part.scores(part.keys.due):
        yield {"at": at, "subject": subject.decode()}


async def _open(part: Part) -> AsyncIterator[Row]:
    async for member, since in part.scores(part.keys.open):
        yield {"since": since, **decode_clock(member)._asdict()}


async def _members(part: Part) -> AsyncIterator[Row]:
    async for packed, at in part.scores(part.keys.members(part.rest)):
        member = decode_member(packed)
        yield {"at": at, "subject": member.subject, "number": member.k}


async def _outbox(part: Part) -> AsyncIterator[Row]:
    for seq, message in await read_outbox(part.redis, part.keys):
        key = None if message.key is None else message.key.decode()
        yield {"seq": seq, "id": message.id, "topic": message.topic, "key": key, "value": _json(message.value)}


async def _erased(part: Part) -> AsyncIterator[Row]:
    for digest in sorted(await read_erased(part.redis, part.keys)):
        yield {"hash": digest.hex()}


READERS: Final[Mapping[str, Callable[[Part], AsyncIterator[Row]]]] = {
    "applied": _applied,
    "state": _bucket,
    "pages": _pages,
    "rows": _rows,
    "parts": _parts,
    "pane": _pane,
    "window": _sums(lambda rest: f"window:{rest}"),
    "level": _sums(lambda _: "level"),
    "oldest": _oldest,
    "series": _series,
    "changed": _changed,
    "due": _due,
    "open": _open,
    "members": _members,
    "outbox": _outbox,
    "erased": _erased,
}
"""How the tables of a partition are read, by name."""


async def _lead(place: Place, subject: str) -> AsyncIterator[Row]:
    partition = partition_of(record_key(subject), place.partitions)
    (part,) = await _claimed(place, Asked("lead", subject, partition))
    packed = await read_whole(place.redis, part.keys, subject)
    if packed is None:
        what = f"holds no lead {subject!r}, whose place it would be"
        raise Fatal(part.keys.state(bucket_of(subject)), what, "name it as CONNECTION:ID, with the CRM's own id")
    for row in lead_rows(packed):
        yield row


async def _kpis(place: Place, window: str) -> AsyncIterator[Row]:
    if window not in KPI_WINDOWS:
        raise Fatal(f"kpi:{window}", "there is no such window", f"one of {', '.join(KPI_WINDOWS)}, applied or changes")
    keys = KpiKeys(place.prefix)
    snapshot = decode(await read_kpis(place.redis, keys, [window]), keys.applied)
    if snapshot.round is None:
        raise _unpublished(keys)
    for key, row in sorted(snapshot.rows[window].items()):
        yield _named(key) | msgspec.to_builtins(row)


async def _changes(place: Place) -> AsyncIterator[Row]:
    for number, packed in (await read_kept_changes(place.redis, KpiKeys(place.prefix))).items():
        for window, rows in decode_changes(packed).items():
            for key, row in sorted(rows.items()):
                told = {"round": number, "window": window, **_named(key)}
                yield told | (_GONE if row is None else msgspec.to_builtins(decode_row(row)))


def _named(key: str) -> Row:
    figure, dim, name = place_of(key)
    return {"kpi": figure, "by": dim, "slice": name}


_GONE: Final[Row] = dict.fromkeys(KpiRow.__struct_fields__)
"""What there is to say of a row that was deleted."""


async def _round(place: Place) -> AsyncIterator[Row]:
    keys = KpiKeys(place.prefix)
    record = (await read_kpis(place.redis, keys, [])).record
    if not record.get("round"):
        raise _unpublished(keys)
    yield {name: _json(text.encode()) if name != "token" else text for name, text in sorted(record.items())}


def _unpublished(keys: KpiKeys) -> Fatal:
    return Fatal(keys.applied, "no round has been published yet", START_ONE)


async def _workers(place: Place) -> AsyncIterator[Row]:
    for heard in await read_present(place.redis, place.prefix):
        yield {"seen": heard.seen, "since": heard.since, "token": heard.token, "about": _json(heard.about.encode())}


async def _rules(place: Place) -> AsyncIterator[Row]:
    for document in await read_all_rules(place.redis, place.prefix):
        told = {"version": document.version, "applied_at": document.applied_at, "applied_by": document.applied_by}
        yield {**told, "rules": msgspec.to_builtins(document.rules)}


def _slice(name: str) -> Row:
    dim, _, value = name.partition("=")
    return {"by": dim, "slice": value}


def _json(text: bytes) -> Any:
    """What JSON means; text that is none stays text."""
    try:
        return msgspec.json.decode(text)
    except UNREADABLE:
        return text.decode(errors="backslashreplace")
