"""What stands in the rows: typed here, text or JSON in Redis."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import msgspec

from models.errors import UNREADABLE
from streams.errors import Fatal

LAYOUT: Final = "3"
"""The version of all keys and encodings; another one refuses to start."""


class Waiting(NamedTuple):
    """The oldest open clock of a slice: its start and, if a policy gives one, its due instant (ms UTC)."""

    since: int
    due: int | None


class OpenClock(NamedTuple):
    """An open clock with the values that it counts under; `due` in ms UTC or None without a policy."""

    subject: str
    due: int | None
    rep: str
    team: str
    lead_source: str
    origin: str
    sales_region: str
    segment: str
    campaign: str


class Member(NamedTuple):
    """Who is behind a number: a lead and the instant at which it counts (ms UTC); `k` tells apart what it counts for then."""

    subject: str
    at: int
    k: int


class Outgoing(NamedTuple):
    """A message of the outbox; `id` is deterministic, so that a consumer sees a repetition for what it is.

    Without a `partition`, the key says which one of Kafka's it is, and without a key it is any.
    """

    id: str
    topic: str
    key: bytes | None
    value: bytes
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition has come; a checkpoint replaces it whole.

    `offset` is the next one to read (None: nothing was read yet), `fingerprint` that of the record before it, `clock` and the
    values of `ticks` (by deliveries partition) are ms UTC, `valuation` is JSON, empty before the first totals. `hashed_with`
    names the key that ids are hashed with, empty while none are.
    """

    offset: int | None = None
    fingerprint: str = ""
    clock: int | None = None
    ticks: Mapping[int, int] = field(default_factory=dict)
    generation: int = 1
    valuation: str = ""
    hashed_with: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """What is stored of a partition: who holds it (`claim`, `token`), its two sequences, its progress.

    `seq` counts checkpoints; `aside` counts writes that prepare or clear away a generation that nobody reads.
    """

    claim: int
    token: str
    seq: int
    aside: int
    progress: Progress

    def advanced(self, progress: Progress) -> "Applied":
        """After a checkpoint that brought `progress`."""
        return replace(self, seq=self.seq + 1, progress=progress)

    def set_aside(self) -> "Applied":
        """After a write aside."""
        return replace(self, aside=self.aside + 1)


def encode_progress(progress: Progress) -> dict[str, bytes]:
    """The fields of `applied` that a checkpoint writes."""
    return {
        "offset": _optional(progress.offset),
        "fingerprint": progress.fingerprint.encode(),
        "clock": _optional(progress.clock),
        "ticks": msgspec.json.encode(dict(sorted(progress.ticks.items()))),
        "generation": b"%d" % progress.generation,
        "valuation": progress.valuation.encode(),
        "hashed_with": progress.hashed_with.encode(),
    }


def decode_applied(fields: Mapping[bytes, bytes], where: str) -> Applied:
    """`applied` of a claimed partition, read. Raises Fatal if it is not what this version writes."""
    try:
        text = {name.decode(): value.decode() for name, value in fields.items()}
        return Applied(
            claim=int(text["claim"]),
            token=text["token"],
            seq=int(text["seq"]),
            aside=int(text["aside"]),
            progress=Progress(
                offset=_whole(text.get("offset")),
                fingerprint=text.get("fingerprint", ""),
                clock=_whole(text.get("clock")),
                ticks=msgspec.json.decode(text.get("ticks") or "{}", type=dict[int, int]),
                generation=int(text["generation"]),
                valuation=text.get("valuation", ""),
                hashed_with=text.get("hashed_with", ""),
            ),
        )
    except UNREADABLE as error:
        raise Fatal(where, f"is not a partition's record: {error!r}", "find out who else writes under this prefix") from error


def encode_waiting(waiting: Waiting) -> bytes:
    """`<since> <due>`, with a dash for no due."""
    return b"%d %s" % (waiting.since, b"-" if waiting.due is None else b"%d" % waiting.due)


def decode_waiting(packed: bytes) -> Waiting:
    """The inverse of `encode_waiting`."""
    since, due = packed.split()
    return Waiting(int(since), None if due == b"-" else int(due))


def encode_clock(clock: OpenClock) -> bytes:
    """A JSON array, the member of the sorted set."""
    return msgspec.json.encode(clock)


def decode_clock(member: bytes) -> OpenClock:
    """The inverse of `encode_clock`."""
    return msgspec.json.decode(member, type=OpenClock)


def encode_member(subject: str, at: int, k: int) -> str:
    """The fields of a Member as a JSON array, the member of the sorted set. It is called very often."""
    return _encode_member((subject, at, k)).decode()


_encode_member = msgspec.json.Encoder().encode


def decode_member(packed: bytes) -> Member:
    """The inverse of `encode_member`."""
    return _decode_member(packed)


_decode_member = msgspec.json.Decoder(Member).decode


def encode_outgoing(message: Outgoing) -> tuple[bytes, ...]:
    """Fields and values of a stream entry, in turns."""
    key = () if message.key is None else (b"key", message.key)
    partition = () if message.partition is None else (b"partition", b"%d" % message.partition)
    return (b"id", message.id.encode(), b"topic", message.topic.encode(), b"value", message.value, *key, *partition)


def decode_outgoing(fields: Mapping[bytes, bytes]) -> Outgoing:
    """The inverse of `encode_outgoing`, as redis-py gives the fields."""
    partition = fields.get(b"partition")
    message = Outgoing(fields[b"id"].decode(), fields[b"topic"].decode(), fields.get(b"key"), fields[b"value"])
    return message if partition is None else message._replace(partition=int(partition))


def _optional(value: int | None) -> bytes:
    return b"" if value is None else b"%d" % value


def _whole(text: str | None) -> int | None:
    return int(text) if text else None
