"""A checkpoint, cut: everything that one owner moves in one step, as the bytes that are sent until they are answered.

Pure: what the description says becomes keys and arguments of `checkpoint.lua`, and never changes again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final, Generic, TypeVar

import msgspec

from streams.tables import Applied, Keys, KpiKeys, OpenClock, Outgoing, Pane, Progress, Waiting, bucket_of
from streams.tables.keys import members_part, part_of, rows_of
from streams.tables.kpis import RowChanges, encode_changes
from streams.tables.rows import encode_clock, encode_outgoing, encode_progress, encode_waiting

GROUP: Final = 512
"""Arguments of one command at most, an even number; the script refuses over 1000."""

ROUNDS_KEPT: Final = 6
"""Rounds whose changes are kept for those who read the KPI table again and again."""

LARGEST_CHANGES: Final = 8 * 2**20
"""Bytes of a round's changes from which on they are not kept: about half of a large table."""

Held = TypeVar("Held")

_pack = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Publishing:
    """What the publisher holds of the KPI table."""

    claim: int
    token: str
    round: int


@dataclass(frozen=True, slots=True)
class Checkpoint(Generic[Held]):
    """Keys and arguments of the script, what is held `then` (after OK or DUP), and what is to be published then."""

    keys: tuple[str, ...]
    args: tuple[bytes, ...]
    then: Held
    outgoing: tuple[Outgoing, ...] = ()

    @property
    def where(self) -> str:
        """The key that the owner's fence stands in."""
        return self.keys[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """What has changed, as absolute values; None deletes.

    Instants (`due`, `open`) in ms UTC. Of huge leads there are `pages` by number, and `rows` by the instant from which on they
    are; None in place of them all deletes them whole. `erased` are tombstones, which are only ever added. `series` are the new
    names; the first of them gets the id `known_series`, the number of those stored. `dropped` panes are deleted whole. By
    measure there are `members`, packed, with their instants; those before the instant in `expired` go, whoever they are. What
    the publisher has to read again follows from the rest.
    """

    states: Mapping[str, bytes | None] = field(default_factory=dict)
    pages: Mapping[str, Mapping[int, bytes | None] | None] = field(default_factory=dict)
    rows: Mapping[str, Mapping[int, bytes | None] | None] = field(default_factory=dict)
    erased: Collection[bytes] = ()
    panes: Mapping[Pane, Mapping[int, bytes | None]] = field(default_factory=dict)
    dropped: Collection[Pane] = ()
    windows: Mapping[str, Mapping[int, bytes | None]] = field(default_factory=dict)
    levels: Mapping[int, bytes | None] = field(default_factory=dict)
    oldest: Mapping[str, Waiting | None] = field(default_factory=dict)
    series: Sequence[str] = ()
    known_series: int = 0
    due: Mapping[str, int | None] = field(default_factory=dict)
    open: Mapping[OpenClock, int | None] = field(default_factory=dict)
    members: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)
    expired: Mapping[str, int] = field(default_factory=dict)
    outgoing: Sequence[Outgoing] = ()


@dataclass(frozen=True, slots=True)
class _Fence:
    """What the script looks at first: the owner's hash, its counter (none: not counted), further fields that must agree."""

    key: str
    claim: int
    token: str
    counter: bytes = b""
    expected: int = 0
    guards: tuple[bytes, ...] = ()


class _Operations:
    """Operations of the script in the making."""

    def __init__(self) -> None:
        self.keys: dict[str, int] = {}
        self.args: list[bytes] = []

    def add(self, command: bytes, key: str, arguments: Sequence[bytes]) -> None:
        number = self.keys.setdefault(key, len(self.keys) + 2)
        self.args += (command, b"%d" % number, b"%d" % len(arguments), *arguments)

    def add_grouped(self, command: bytes, key: str, arguments: Sequence[bytes]) -> None:
        for start in range(0, len(arguments), GROUP):
            self.add(command, key, arguments[start : start + GROUP])

    def put_fields(self, key: str, values: Iterable[tuple[bytes, bytes | None]]) -> None:
        self._put(key, values, b"HSET", b"HDEL", scores=False)

    def put_hash(self, key: str, values: Mapping[int, bytes | None] | None) -> None:
        if values is None:
            self.add(b"UNLINK", key, ())
        else:
            self.put_fields(key, _numbered(values))

    def put_scores(self, key: str, scores: Iterable[tuple[bytes, int | None]]) -> None:
        values = ((member, None if score is None else b"%d" % score) for member, score in scores)
        self._put(key, values, b"ZADD", b"ZREM", scores=True)

    def fill_scores(self, key: str, scores: Mapping[str, int | None]) -> None:
        """As `put_scores`, of many small members: they are packed together, which is quicker to send."""
        given: list[int | str] = []
        gone: list[bytes] = []
        for member, score in scores.items():
            if score is None:
                gone.append(member.encode())
            else:
                given += (score, member)
        self._fill(b"ZFILL", key, given)
        self.add_grouped(b"ZREM", key, gone)

    def fill_texts(self, key: str, values: Mapping[str, bytes | None]) -> None:
        """As `put_fields`, of many small fields with texts, packed together likewise."""
        given = [text for name, value in values.items() if value is not None for text in (name, value.decode())]
        self._fill(b"HFILL", key, given)
        self.add_grouped(b"HDEL", key, [name.encode() for name, value in values.items() if value is None])

    def _fill(self, command: bytes, key: str, given: Sequence[int | str]) -> None:
        for start in range(0, len(given), GROUP):
            self.add(command, key, (_pack(given[start : start + GROUP]),))

    def _put(self, key: str, values: Iterable[tuple[bytes, bytes | None]], put: bytes, remove: bytes, *, scores: bool) -> None:
        given: list[bytes] = []
        gone: list[bytes] = []
        for name, value in values:
            if value is None:
                gone.append(name)
            else:
                given += (value, name) if scores else (name, value)
        self.add_grouped(put, key, given)
        self.add_grouped(remove, key, gone)


def cut_checkpoint(keys: Keys, held: Applied, writes: Writes, progress: Progress) -> Checkpoint[Applied]:
    """The checkpoint that brings a partition from `held` to `progress`.

    `keys` and `progress` name the same generation: the one in which the totals stand afterwards.
    """
    if keys.generation != progress.generation:
        raise ValueError(f"totals of generation {keys.generation}, progress of generation {progress.generation}")
    operations = _Operations()
    _put_states(operations, keys, writes.states)
    for subject, pages in writes.pages.items():
        operations.put_hash(keys.pages(subject), pages)
    operations.add_grouped(b"SADD", keys.erased, list(writes.erased))
    _put_totals(operations, keys, writes, held.seq + 1)
    for number, message in enumerate(writes.outgoing):
        operations.add(b"XADD", keys.outbox, (b"%d-%d" % (held.seq + 1, number), *encode_outgoing(message)))
    fence = _Fence(keys.applied, held.claim, held.token, b"seq", held.seq, (b"aside", b"%d" % held.aside))
    return _checkpoint(fence, encode_progress(progress), operations, held.advanced(progress), tuple(writes.outgoing))


def cut_aside(keys: Keys, held: Applied, writes: Writes) -> Checkpoint[Applied]:
    """A write to the totals of a generation that nobody reads: prepared piece by piece, before a checkpoint switches to it.

    Each piece is counted, so that the switch is refused if Redis has lost one of them since.
    """
    if writes.states or writes.pages or writes.erased or writes.outgoing:
        raise ValueError("states with their pages, tombstones and messages move with the sequence only")
    operations = _Operations()
    _put_totals(operations, keys, writes, held.seq + 1)
    return _aside(keys, held, operations)


def cut_removal(keys: Keys, held: Applied, gone: Sequence[str], parts: Sequence[str] = ()) -> Checkpoint[Applied]:
    """The deletion of whole keys of a generation that nobody reads, and of `parts` from the list of its parts."""
    operations = _Operations()
    for key in gone:
        operations.add(b"UNLINK", key, ())
    operations.add_grouped(b"SREM", keys.parts, [part.encode() for part in parts])
    return _aside(keys, held, operations)


def cut_trim(keys: Keys, held: Applied, through: int) -> Checkpoint[Applied]:
    """The outbox without what the checkpoints up to and with sequence `through` put there."""
    operations = _Operations()
    operations.add(b"XTRIM", keys.outbox, (b"%d" % (through + 1),))
    return _checkpoint(_Fence(keys.applied, held.claim, held.token), {}, operations, held)


def cut_round(keys: KpiKeys, held: Publishing, rows: RowChanges, record: Mapping[str, str]) -> Checkpoint[Publishing]:
    """A round of KPIs: by window the rows that changed (None: gone), and the fields of the table's record.

    What changed is kept for some rounds, unless it is much, so that readers who have the round before need not read all.
    """
    operations = _Operations()
    for window, changed in rows.items():
        operations.fill_texts(keys.window(window), changed)
    packed = encode_changes(rows)
    kept = packed if len(packed) <= LARGEST_CHANGES else None
    changes = {held.round + 1: kept, held.round + 1 - ROUNDS_KEPT: None}
    operations.put_fields(keys.changes, ((b"%d" % number, found) for number, found in changes.items()))
    fence = _Fence(keys.applied, held.claim, held.token, b"round", held.round)
    fields = {name: text.encode() for name, text in record.items()}
    return _checkpoint(fence, fields, operations, replace(held, round=held.round + 1))


def _put_states(operations: _Operations, keys: Keys, states: Mapping[str, bytes | None]) -> None:
    buckets: dict[int, list[tuple[bytes, bytes | None]]] = defaultdict(list)
    for subject, packed in states.items():
        buckets[bucket_of(subject)].append((subject.encode(), packed))
    for bucket, values in buckets.items():
        operations.put_fields(keys.state(bucket), values)


def _put_totals(operations: _Operations, keys: Keys, writes: Writes, score: int) -> None:
    _put_series(operations, keys, writes)
    _put_panes(operations, keys, writes)
    _put_rows(operations, keys, writes)
    for name, chunks in writes.windows.items():
        operations.put_fields(keys.window(name), _numbered(chunks))
    operations.put_fields(keys.level, _numbered(writes.levels))
    operations.put_fields(
        keys.oldest, ((slice_.encode(), waiting and encode_waiting(waiting)) for slice_, waiting in writes.oldest.items())
    )
    operations.put_scores(keys.due, ((subject.encode(), at) for subject, at in writes.due.items()))
    operations.put_scores(keys.open, ((encode_clock(clock), since) for clock, since in writes.open.items()))
    _put_members(operations, keys, writes)
    operations.put_scores(keys.changed, ((member.encode(), score) for member in _changed(writes)))


def _put_series(operations: _Operations, keys: Keys, writes: Writes) -> None:
    if writes.series:
        # Ids are positions: were one given twice or left out, amounts would move to another name.
        operations.add(b"HLEN", keys.series, (b"%d" % writes.known_series,))
        named = enumerate(writes.series, writes.known_series)
        operations.put_fields(keys.series, ((b"%d" % number, name.encode()) for number, name in named))


def _put_panes(operations: _Operations, keys: Keys, writes: Writes) -> None:
    dropped = set(writes.dropped)
    if not dropped.isdisjoint(writes.panes):
        raise ValueError(f"written and dropped at once: {dropped.intersection(writes.panes)}")
    for pane, chunks in writes.panes.items():
        operations.put_fields(keys.pane(pane), _numbered(chunks))
    for pane in dropped:
        operations.add(b"UNLINK", keys.pane(pane), ())
    present = [part_of(pane) for pane in writes.panes] + [f"window:{name}" for name in writes.windows]
    operations.add_grouped(b"SADD", keys.parts, [part.encode() for part in present])
    operations.add_grouped(b"SREM", keys.parts, [part_of(pane).encode() for pane in dropped])


def _put_members(operations: _Operations, keys: Keys, writes: Writes) -> None:
    for measure, members in writes.members.items():
        operations.fill_scores(keys.members(measure), members)
    for measure, before in writes.expired.items():
        operations.add(b"ZREMRANGEBYSCORE", keys.members(measure), (b"%d" % before,))
    operations.add_grouped(b"SADD", keys.parts, [members_part(measure).encode() for measure in writes.members])


def _put_rows(operations: _Operations, keys: Keys, writes: Writes) -> None:
    for subject, rows in writes.rows.items():
        operations.put_hash(keys.rows(subject), rows)
        operations.add(b"SREM" if rows is None else b"SADD", keys.parts, [rows_of(subject).encode()])


def _changed(writes: Writes) -> Iterator[str]:
    for name, chunks in writes.windows.items():
        yield from (f"w:{name}:{number}" for number in chunks)
    yield from (f"l:{number}" for number in writes.levels)
    yield from (f"o:{slice_}" for slice_ in writes.oldest)


def _aside(keys: Keys, held: Applied, operations: _Operations) -> Checkpoint[Applied]:
    if keys.generation == held.progress.generation:
        raise ValueError(f"generation {keys.generation} is the one that is read")
    fence = _Fence(keys.applied, held.claim, held.token, b"aside", held.aside, (b"seq", b"%d" % held.seq))
    return _checkpoint(fence, {}, operations, held.set_aside())


def _checkpoint(
    fence: _Fence, record: Mapping[str, bytes], operations: _Operations, then: Held, outgoing: tuple[Outgoing, ...] = ()
) -> Checkpoint[Held]:
    fields = tuple(chain.from_iterable((name.encode(), value) for name, value in record.items()))
    head = (b"%d" % fence.claim, fence.token.encode(), fence.counter, b"%d" % fence.expected)
    args = (*head, b"%d" % len(fence.guards), *fence.guards, b"%d" % len(fields), *fields, *operations.args)
    return Checkpoint((fence.key, *operations.keys), args, then, outgoing)


def _numbered(chunks: Mapping[int, bytes | None]) -> Iterable[tuple[bytes, bytes | None]]:
    return ((b"%d" % number, packed) for number, packed in chunks.items())
