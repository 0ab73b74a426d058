"""What can be seen of a running Leadbeat from outside. Instants are ms UTC; what could not be looked at is None."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from models.errors import LeadbeatError
from models.units import Millis
from streams.dead_letters import Kind
from streams.serving.table import Round
from streams.tables import Applied
from streams.tables.presence import Heard
from streams.tables.rules import RulesDocument
from streams.telemetry import SpoolState


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """A topic: its partitions, those without a leader or with a replica that is behind, the least replicas, its settings."""

    partitions: int
    leaderless: frozenset[int] = frozenset()
    behind: frozenset[int] = frozenset()
    replicas: int = 1
    config: Mapping[str, str] = field(default_factory=dict)


class Bounds(NamedTuple):
    """Where the log of each partition begins and ends, by topic."""

    begins: Mapping[str, Mapping[int, int]]
    ends: Mapping[str, Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """A consumer group: how many members, the partitions of its topic that they have, and the offsets it has committed."""

    state: str
    members: int
    owned: frozenset[int]
    committed: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class TickSeen:
    """The newest tick of a deliveries partition: what it says, and the timestamp of its record; both ms UTC."""

    at: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class TailSeen:
    """The end of the deliveries: newest ticks by partition, newest receipts by connection.

    `since` is the oldest record that was looked at; None: that is all there is.
    """

    ticks: Mapping[int, TickSeen]
    receipts: Mapping[str, int]
    since: int | None


@dataclass(frozen=True, slots=True)
class DeadSeen:
    """The dead letters of a day that wait: how many at most, and how often each kind among the newest of them."""

    count: int
    kinds: Counter[Kind]


@dataclass(frozen=True, slots=True)
class LogSeen:
    """Kafka, and when the ends of its logs were looked at. What could not be looked at is None, and `faults` say why."""

    at: Millis
    brokers: int
    topics: Mapping[str, TopicSeen]
    bounds: Bounds
    groups: Mapping[str, GroupSeen] | None
    tail: TailSeen | None
    dead: DeadSeen | None
    faults: Sequence[LeadbeatError] = ()


@dataclass(frozen=True, slots=True)
class TablesSeen:
    """Redis, and when it was looked at: its INFO, how far its clock is ahead of ours, how long it took to ask for that.

    A cluster has an INFO for each master. Of what Leadbeat keeps there, `applied` and `outbox` (its length) are by partition;
    `round` is None before the first one, and `rules` where none were applied.
    """

    at: Millis
    infos: Sequence[Mapping[str, Any]]
    ahead_ms: int
    asked_in_ms: int
    applied: Sequence[Applied | None]
    outbox: Sequence[int]
    round: Round | None
    workers: Sequence[Heard]
    rules: RulesDocument | None = None
    faults: Sequence[LeadbeatError] = ()


class ServiceSeen(NamedTuple):
    """A service of ours over HTTP: where, whether it says that it is ready, what else it says; `fault`: why no answer came.

    `spool` is a gateway's, if it has one and tells of it.
    """

    name: str
    url: str
    ready: bool = False
    told: str = ""
    fault: str = ""
    spool: SpoolState | None = None
