"""The topic of dead letters is kept clean of people who were erased, and of what is older than is to be kept."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import conversation
import pytest
from aiokafka.admin import NewTopic
from histories import NOON, call
from owners import producing
from services import until

from models.units import DAY, HOUR, MINUTE, SECOND
from streams.config import Settings
from streams.dead_letters import DeadLetter
from streams.dead_letters.log import reading
from streams.dead_letters.marks import Erasure, erasure_by
from streams.hashing import Hashing
from streams.inbound import sweeper
from streams.inbound.erased import Erased
from streams.inbound.outlet import Outlet
from streams.inbound.sweeper import Sweep, Sweeper
from streams.topics import Topics, ensure, specs

LIMIT_S = 30
COMPACTED_S = 100
"""How long Kafka may take to look for what it can compact, which it does four times a minute."""

KEY = "ab" * 32
HASHING = Hashing(bytes.fromhex(KEY))
SETTINGS = Settings.model_validate({"worker": {"subject_key": KEY}}).model_copy(
    update={"connections": (conversation.connection(),)}
)
ACME = conversation.connection().name


def letter(number: int, body: bytes, connection: str | None = ACME) -> DeadLetter:
    place = ("crm.deliveries.v1", 1, number, connection, NOON)
    return DeadLetter(*place, reason="is wrong", where="$", body=body.decode())


def about(number: int, lead: str) -> DeadLetter:
    return letter(number, json.dumps(call(f"c{number}", NOON, lead) | {"timestamp": "soon"}).encode())


def erasure(lead: str, kind: str = "lead") -> Erasure:
    return erasure_by(HASHING, kind, lead)


def record(kept: DeadLetter | Erasure | None, key: str | bytes | None = None, at: int = NOON, offset: int = 0):
    key = key if kept is None or isinstance(kept, DeadLetter) else kept.key
    known = kept.id if isinstance(kept, DeadLetter) and key is None else key
    encoded = known.encode() if isinstance(known, str) else known
    value = None if kept is None else kept.record
    return SimpleNamespace(topic="leadbeat.dead.v1", partition=0, offset=offset, timestamp=at, key=encoded, value=value)


def erased(*leads: str) -> Erased:
    known = Erased(SETTINGS)
    for lead in leads:
        known.take(record(erasure(lead)))
    return known


def doomed(known: Erased, *records: SimpleNamespace, oldest: int = 0) -> list[str]:
    sweep = Sweep(known, oldest)
    sweep.take(records)
    return [key.decode() for _, key in sweep.cut()]


def test_letters_of_who_was_erased_are_taken_out_and_those_of_others_stay():
    theirs, others = about(1, "42"), about(2, "43")
    assert doomed(erased("acme:42"), record(theirs), record(others)) == [theirs.id]
    assert doomed(erased("other:42"), record(theirs), record(others)) == []
    assert doomed(erased(), record(theirs), record(others)) == []


def test_an_account_or_rep_of_the_same_name_is_somebody_else():
    account = letter(1, json.dumps({"subject": {"kind": "account", "id": "42"}}).encode())
    known = erased("acme:42")
    assert doomed(known, record(account)) == []
    known.take(record(erasure("account/acme:42", "account")))
    assert doomed(known, record(account)) == [account.id]


def test_a_person_who_is_known_by_an_address_is_found_by_it():
    received = letter(1, conversation.case("email_received_from_address").raw[:-1])
    (subject,) = {event["subject"]["id"] for event in conversation.case("email_received_from_address").events}
    assert ":email:" in subject
    assert doomed(erased(subject), record(received)) == [received.id]


def test_what_is_of_no_connection_may_be_of_any_and_what_was_an_event_has_full_ids():
    stranger, event = letter(1, b'id="42"', ""), letter(2, json.dumps(call("c1", NOON, "acme:42")).encode(), None)
    assert doomed(erased("acme:42"), record(stranger), record(event)) == [stranger.id, event.id]


def test_what_is_taken_out_already_is_left_alone_and_what_comes_back_is_taken_out_again():
    theirs = about(1, "42")
    known = erased("acme:42")
    assert doomed(known, record(theirs), record(None, theirs.id)) == []
    assert doomed(known, record(theirs), record(None, theirs.id), record(theirs)) == [theirs.id]


def test_a_letter_without_a_key_has_the_id_that_it_would_have():
    theirs = about(1, "42")
    without = record(theirs)
    without.key = None
    assert doomed(erased("acme:42"), without) == [theirs.id]


def test_what_is_older_than_is_to_be_kept_is_taken_out_also_who_was_erased_then():
    old, new, then = about(1, "1"), about(2, "2"), erasure("acme:3")
    records = [record(old, at=NOON - DAY - 1), record(new, at=NOON - DAY), record(then, at=NOON - 2 * DAY)]
    assert doomed(erased(), *records, oldest=NOON - DAY) == [old.id, then.key.decode()]


def test_another_segment_is_begun_once_the_one_with_what_was_taken_out_is_old_enough():
    removed, late = record(None, "x", at=NOON), record(about(1, "1"), at=NOON + HOUR + 1)

    def closed(now: int, *records: SimpleNamespace) -> bool:
        sweep = Sweep(erased(), 0)
        sweep.take(records)
        return sweep.is_to_be_closed(now)

    assert not closed(NOON + HOUR, removed)
    assert closed(NOON + HOUR + 2 * MINUTE, removed)
    assert not closed(NOON + HOUR + 2 * MINUTE, removed, late)
    assert not closed(NOON + HOUR + 2 * MINUTE, late)


# --- with Kafka


@asynccontextmanager
async def sweeping(kafka, prefix, owns=lambda: True, **options) -> AsyncIterator[None]:
    """A sweeper at work until the block ends."""
    settings = SETTINGS.model_copy(
        update={"kafka": SETTINGS.kafka.model_copy(update={"bootstrap": kafka.bootstrap, "topic_prefix": prefix})} | options
    )
    async with Outlet(kafka.bootstrap).running() as outlet:
        running = asyncio.create_task(Sweeper(settings, outlet, owns).run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait([running])


async def kept(kafka, topic) -> list[tuple[bytes, bytes | None]]:
    """Every record of the topic, by key."""
    async with reading(kafka.bootstrap, topic) as dead_letters:
        return [(record.key, record.value) async for records in dead_letters.news() for record in records]


@pytest.fixture
async def topic(kafka, topic_prefix) -> str:
    await ensure(kafka.bootstrap, 4, 1, topic_prefix)
    return Topics(topic_prefix).dead


@pytest.fixture
async def producer(kafka):
    async with producing(kafka.bootstrap) as producer:
        yield producer


async def send(producer, topic, *records: DeadLetter | Erasure, at: int | None = None) -> None:
    for each in records:
        key = each.id.encode() if isinstance(each, DeadLetter) else each.key
        await producer.send_and_wait(topic, each.record, key=key, timestamp_ms=at)


class Gone:
    """Whether letters were taken out of the topic."""

    def __init__(self, kafka, topic) -> None:
        self._kafka, self._topic = kafka, topic

    async def all(self) -> list[str]:
        return [key.decode() for key, value in await kept(self._kafka, self._topic) if value is None]

    async def come(self, letter: DeadLetter, what: str) -> None:
        async def came() -> bool:
            return letter.id in await self.all()

        await until(came, LIMIT_S, what)


async def test_letters_from_before_and_after_an_erasure_go_whoever_sweeps(kafka, topic, topic_prefix, producer):
    before, after, again, others = (about(number, lead) for number, lead in enumerate(("42", "42", "42", "43")))
    gone = Gone(kafka, topic)
    await send(producer, topic, before, others)
    async with sweeping(kafka, topic_prefix):
        await send(producer, topic, erasure("acme:42"))
        await gone.come(before, "what was there is taken out")
        await send(producer, topic, after)
        await gone.come(after, "what came later is taken out")
    async with sweeping(kafka, topic_prefix):
        await send(producer, topic, again)
        await gone.come(again, "another one has read of the erasure")
    assert await gone.all() == [before.id, after.id, again.id]


async def test_what_is_old_goes_and_who_does_not_own_the_first_partition_sweeps_nothing(kafka, topic, topic_prefix, producer):
    old, retention = about(1, "1"), SETTINGS.retention.model_copy(update={"dead_letters": 30 * MINUTE})
    await send(producer, topic, old, at=int(time.time() - 3600) * SECOND)
    await send(producer, topic, about(2, "2"))
    turns: list[None] = []
    async with sweeping(kafka, topic_prefix, lambda: bool(turns.append(None)), retention=retention):
        await until(lambda: len(turns) > 2, LIMIT_S, "it has had its turns")
    gone = Gone(kafka, topic)
    assert await gone.all() == []
    async with sweeping(kafka, topic_prefix, retention=retention):
        await gone.come(old, "the old one is taken out")
    assert await gone.all() == [old.id]


async def test_what_was_taken_out_leaves_kafka_s_disks_though_nothing_else_comes(
    kafka, topic_prefix, producer, monkeypatch, admin
):
    monkeypatch.setattr(sweeper, "DEAD_SEGMENT", SECOND)
    monkeypatch.setattr(sweeper, "_SLACK", SECOND)
    (spec,) = (spec for spec in specs(Topics(topic_prefix), 4, 1) if spec.name == Topics(topic_prefix).dead)
    quick = {name: str(SECOND) for name in ("segment.ms", "max.compaction.lag.ms", "delete.retention.ms")}
    await admin.create_topics([NewTopic(spec.name, 1, 1, topic_configs={**spec.config, **quick})])
    theirs, others = about(1, "42"), about(2, "43")

    async def values() -> list[bytes]:
        return [value for _, value in await kept(kafka, spec.name) if value is not None]

    async def is_off_the_disks() -> bool:
        return theirs.record not in await values()

    async with sweeping(kafka, topic_prefix):
        await send(producer, spec.name, theirs, others, erasure("acme:42"))
        await until(is_off_the_disks, COMPACTED_S, "compaction has come to it")
    assert others.record in await values()
