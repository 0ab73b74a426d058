"""What Kafka's state says: topics as they should be, partitions owned, ticks and deliveries coming, letters dying."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Final

from models.units import HOUR, SECOND, Duration, Millis
from streams.config import Settings
from streams.inspection.findings import Finding, fail, numbers, ok, span, warn
from streams.inspection.seen import GroupSeen, LogSeen, TailSeen, TopicSeen
from streams.serving.health import STALE_AFTER
from streams.topics import SAFE_REPLICATION, Topics, TopicSpec, specs

APART: Final = Duration(2 * SECOND)
"""How far clocks may be apart: deadlines are judged so much behind the log's clock."""

QUIET_AFTER: Final = Duration(4 * HOUR)
"""How long a connection may send nothing before that is remarked upon."""

MUCH_LAG: Final = 10_000
"""Records behind the end of the log that are worth a remark."""

KINDS_TOLD: Final = 5

AT_LEAST: Final = {
    "retention.ms": "less is kept, so less can be made up for after a loss",
    "max.message.bytes": "large deliveries are refused",
    "min.insync.replicas": "a write may lie on fewer replicas than it should",
}
"""What it means that a setting of a topic is smaller than ours."""

AT_MOST: Final = {
    "retention.ms": "bodies and ids are kept for longer than the settings say",
    "segment.ms": "what is old, or was taken out, is kept for longer",
    "max.compaction.lag.ms": "what was taken out or overtaken is kept for longer",
}
"""What it means that a setting of a topic is larger than ours."""

START_WORKER: Final = "start a worker, or look into its log"
TELL_OF_THEM: Final = "see `leadbeat dead list`; mend the sender or the settings, and send them again"
SEE_THE_SENDER: Final = "see whether the CRM still sends, and what it is answered"


def of_log(settings: Settings, seen: LogSeen) -> Iterator[Finding]:
    """Everything about Kafka."""
    yield ok(f"Kafka at {settings.kafka.bootstrap}", f"answers, with {_count(seen.brokers, 'broker')}")
    kafka = settings.kafka
    for spec in specs(Topics(kafka.topic_prefix), kafka.partitions, kafka.replication_factor, settings.retention):
        yield from _topic(spec, seen.topics.get(spec.name), settings, seen.brokers)
    yield from chain(_groups(settings, seen), _tail(settings, seen.tail, seen.at), _dead(seen))
    yield from (warn(fault.where, fault.what, fault.todo) for fault in seen.faults)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _topic(spec: TopicSpec, topic: TopicSeen | None, settings: Settings, brokers: int) -> Iterator[Finding]:
    where = f"topic {spec.name}"
    if topic is None:
        makes_it = settings.kafka.create_topics
        todo = "start a gateway or worker, which makes it" if makes_it else "make it, or set kafka.create_topics = true"
        yield fail(where, "is not there", todo)
        return
    found = [*_shape(where, spec, topic, settings.kafka.replication_factor, brokers), *_config(where, spec, topic)]
    yield from found or [ok(where, f"{_count(topic.partitions, 'partition')}, {_count(topic.replicas, 'replica')}")]


def _shape(where: str, spec: TopicSpec, topic: TopicSeen, replication: int, brokers: int) -> Iterator[Finding]:
    if spec.fixed and topic.partitions != spec.partitions:
        what = f"has {_count(topic.partitions, 'partition')} where kafka.partitions is {spec.partitions}"
        yield fail(where, what, "set kafka.partitions to what is there: the number never changes for topics in use")
    if topic.leaderless:
        yield fail(where, f"{numbers(topic.leaderless)} without a leader", "bring the brokers back that hold it")
    if behind := topic.behind - topic.leaderless:
        yield warn(where, f"{numbers(behind)} with a replica that is behind", "look into the brokers' logs")
    if topic.replicas < replication:
        what = f"{_count(topic.replicas, 'replica')} where kafka.replication_factor is {replication}"
        yield warn(where, what, "reassign its partitions with more replicas")
    elif topic.replicas == 1 and brokers >= SAFE_REPLICATION:
        what = f"1 replica on {brokers} brokers: a broker that is lost takes its records with it"
        yield warn(where, what, "set kafka.replication_factor = 3, and reassign its partitions")


def _config(where: str, spec: TopicSpec, topic: TopicSeen) -> Iterator[Finding]:
    for name, ours in spec.config.items():
        theirs = topic.config.get(name)
        if theirs is None:
            continue
        if name == "cleanup.policy":
            yield from _policy(where, _policies(theirs), _policies(ours), theirs)
        elif name in AT_LEAST and _amount(theirs) < _amount(ours):
            yield warn(where, f"{name} is {theirs}: {AT_LEAST[name]}", f"set {name}={ours}")
        elif name in AT_MOST and _amount(theirs) > _amount(ours):
            yield warn(where, f"{name} is {theirs}: {AT_MOST[name]}", f"set {name}={ours}")


def _policy(where: str, theirs: AbstractSet[str], ours: AbstractSet[str], told: str) -> Iterator[Finding]:
    todo = f"set cleanup.policy={','.join(sorted(ours))}"
    if theirs - ours:
        yield fail(where, f"cleanup.policy is {told}: it would lose records that are needed", todo)
    elif ours - theirs:
        yield warn(where, f"cleanup.policy is {told}: what was taken out, or is old, is kept for longer", todo)


def _policies(text: str) -> AbstractSet[str]:
    return frozenset(each.strip() for each in text.split(","))


def _amount(text: str) -> float:
    return float("inf") if text == "-1" else float(text)


def _groups(settings: Settings, seen: LogSeen) -> Iterator[Finding]:
    if seen.groups is None:
        return
    topics = Topics(settings.kafka.topic_prefix)
    for part, topic in (("normaliser", topics.deliveries), ("processor", topics.events)):
        name = f"{settings.kafka.group}-{part}"
        yield from _owners(f"group {name}", seen.groups[name], seen.topics.get(topic), topic)
    ends = seen.bounds.ends.get(topics.deliveries)
    if ends is not None:
        begins, committed = seen.bounds.begins[topics.deliveries], seen.groups[f"{settings.kafka.group}-normaliser"].committed
        yield lag("normaliser", sum(max(0, end - committed.get(number, begins[number])) for number, end in ends.items()))


def _owners(where: str, group: GroupSeen, topic: TopicSeen | None, name: str) -> Iterator[Finding]:
    if topic is None:
        return
    orphans = set(range(topic.partitions)) - group.owned
    if not group.members:
        yield fail(where, f"has no member: nobody reads {name}", START_WORKER)
    elif group.state != "Stable":
        todo = "ask again in a minute; if it goes on, look into the workers' logs"
        yield warn(where, f"is sharing out partitions ({group.state})", todo)
    elif orphans:
        yield fail(where, f"{numbers(orphans)} of {name} without an owner", START_WORKER)
    else:
        yield ok(where, f"{_count(group.members, 'member')} with all {topic.partitions} partitions")


def lag(part: str, records: int) -> Finding:
    """How many records a part of the worker has before it."""
    if records > MUCH_LAG:
        return warn(f"lag of the {part}", f"{records} records", "see whether it goes down; else start more workers")
    return ok(f"lag of the {part}", _count(records, "record"))


def _tail(settings: Settings, tail: TailSeen | None, now: Millis) -> Iterator[Finding]:
    if tail is None:
        return
    if settings.ticks == "wall":
        yield from _ticks(settings.kafka.partitions, tail, now)
        yield from _clocks(tail, now)
    for connection in settings.connections:
        yield _connection(connection.name, tail, now)


def _ticks(partitions: int, tail: TailSeen, now: Millis) -> Iterator[Finding]:
    never = set(range(partitions)) - tail.ticks.keys()
    old = {number: now - tick.at for number, tick in tail.ticks.items() if now - tick.at > STALE_AFTER}
    if never:
        yield fail("ticks", f"none in {numbers(never)} of the deliveries: no clock moves", START_WORKER)
    if old:
        what = f"none for {span(min(old.values()))} in {numbers(old)} of the deliveries: the clock stands"
        yield fail("ticks", what, START_WORKER)
    if not never and not old:
        age = max(now - tick.at for tick in tail.ticks.values())
        yield ok("ticks", f"the newest of every partition is at most {span(max(0, age))} old")


def _clocks(tail: TailSeen, now: Millis) -> Iterator[Finding]:
    if not tail.ticks:
        return
    ahead = max(tick.at - now for tick in tail.ticks.values())
    if ahead > APART:
        what = f"the worker's is {span(ahead)} ahead of this machine's"
        yield fail("clocks", what, "set both by NTP: ticks that are far ahead are refused by others")
    apart = max((tick.timestamp - tick.at for tick in tail.ticks.values()), key=abs)
    if abs(apart) > APART:
        how = "ahead of" if apart > 0 else "behind"
        what = f"the timestamps of Kafka's records are {span(apart)} {how} the ticks in them"
        yield warn("clocks", what, "set brokers and workers by NTP")
    if ahead <= APART and abs(apart) <= APART:
        yield ok("clocks", "ticks, their records and this machine agree")


def _connection(name: str, tail: TailSeen, now: Millis) -> Finding:
    where = f"connection {name}"
    newest = tail.receipts.get(name)
    if newest is None and tail.since is None:
        return warn(where, "no delivery is in the log", SEE_THE_SENDER)
    quiet = now - (newest or tail.since or 0)
    if newest is None or quiet > QUIET_AFTER:
        return warn(where, f"no delivery for {span(quiet)}{'' if newest else ' at least'}", SEE_THE_SENDER)
    return ok(where, f"the last delivery came {span(max(0, quiet))} ago")


def _dead(seen: LogSeen) -> Iterator[Finding]:
    if seen.dead is None:
        return
    if not seen.dead.count:
        yield ok("dead letters", "none for a day")
        return
    looked_at = seen.dead.kinds.total()
    for letter, times in seen.dead.kinds.most_common(KINDS_TOLD):
        sender = f" of {letter.connection}" if letter.connection else ""
        what = f"{times} of the last {looked_at}{sender}: {letter.where}: {letter.reason}"
        yield warn("dead letters", what, TELL_OF_THEM)
    if seen.dead.count > looked_at or len(seen.dead.kinds) > KINDS_TOLD:
        what = f"{seen.dead.count} in a day, {_count(len(seen.dead.kinds), 'kind')} among the last {looked_at}"
        yield warn("dead letters", what, TELL_OF_THEM)
