"""Dead letters as commands read them from a real Kafka, and list them."""

import asyncio
import json

import pytest
from histories import NOON, call
from msgspec import UNSET
from msgspec.structs import replace
from owners import producing

from models.units import HOUR, SECOND
from streams.config import Settings
from streams.dead.listing import grouped, one_by_one
from streams.dead.reading import Choice, Entry, dead_letters
from streams.dead.service import instant_of
from streams.dead_letters import DeadLetter, Kind
from streams.dead_letters.marks import CLOSING_KEY, erasure_by
from streams.errors import Fatal, Retry
from streams.hashing import Hashing
from streams.topics import Topics, ensure

CRM = {"name": "crm", "token": "t" * 16, "secrets": ["whsec_" + "A" * 32]}


def settings(bootstrap: str, prefix: str) -> Settings:
    return Settings.model_validate({"kafka": {"bootstrap": bootstrap, "topic_prefix": prefix}, "connections": [CRM]})


def letter(number: int, lead: str = "42", reason: str = "Invalid enum value 'Jane'", connection: str = "crm") -> DeadLetter:
    place = ("crm.deliveries.v1", 1, number, connection, NOON + number * SECOND)
    return DeadLetter(*place, reason=reason, where="$.data.channel", body=json.dumps(call("c", NOON, lead)))


def resent(known: DeadLetter) -> DeadLetter:
    return replace(known, body=UNSET, resent_at=NOON + HOUR)


async def kept(found: Settings) -> dict[str, Entry]:
    async with dead_letters(found) as known:
        return dict(known.entries)


@pytest.fixture
async def found(kafka, topic_prefix) -> Settings:
    await ensure(kafka.bootstrap, 4, 1, topic_prefix)
    return settings(kafka.bootstrap, topic_prefix)


async def test_the_newest_of_each_id_counts_and_who_was_erased_is_left_out_at_once(kafka, topic_prefix, found):
    mended, again, removed, theirs, late = (letter(number, lead) for number, lead in enumerate(("1", "2", "3", "4", "4")))
    erasure = erasure_by(Hashing(), "lead", "crm:4")
    async with producing(kafka.bootstrap) as producer:

        async def send(key: str | bytes, value: bytes | None) -> None:
            encoded = key.encode() if isinstance(key, str) else key
            await producer.send_and_wait(Topics(topic_prefix).dead, value, key=encoded)

        for each in (mended, again, removed, theirs):
            await send(each.id, each.record)
        assert set(await kept(found)) == {mended.id, again.id, removed.id, theirs.id}
        for each in (mended, again):
            await send(each.id, resent(each).record)
        await send(again.id, again.record)
        await send(removed.id, None)
        await send(erasure.key, erasure.record)
        await send(late.id, late.record)
        await send(CLOSING_KEY, b"{}")
        entries = await kept(found)
        assert {each: entry.resent_at for each, entry in entries.items()} == {mended.id: NOON + HOUR, again.id: None}
        await send("not ours", b"\xff")
        (stranger,) = set(await kept(found)) - set(entries)
    async with dead_letters(found) as known:
        chosen = [known.entries[each] for each in (mended.id, again.id, stranger)]
        whole = {each.id: each async for each in known.letters(chosen)}
    assert (whole[mended.id], whole[again.id]) == (resent(mended), again)
    assert (whole[stranger].reason, whole[stranger].content) == ("is not a dead letter of ours", b"\xff")


async def test_a_topic_that_is_not_there_is_told_and_not_made(kafka, topic_prefix):
    with pytest.raises(Retry, match="is not there"):
        await kept(settings(kafka.bootstrap, topic_prefix))
    with pytest.raises(Retry, match="is not there"):
        await kept(settings(kafka.bootstrap, topic_prefix))


async def test_a_kafka_that_is_away_is_told_once(caplog):
    with pytest.raises(Retry, match="cannot be reached"):
        await asyncio.wait_for(kept(settings("127.0.0.1:1", "")), 30)
    assert [record for record in caplog.records if record.name.startswith("aiokafka")] == []


# --- listed


def entry(number: int, reason: str = "is wrong", *, resent_at: int | None = None, connection: str | None = "crm") -> Entry:
    return Entry(f"id-{number}", Kind(connection, "$.data", reason), NOON + number, resent_at, (0, number))


def test_kinds_are_told_with_those_that_wait_first_and_single_ones_with_the_newest():
    known = [entry(1), entry(2, resent_at=NOON), entry(3, "of another kind", resent_at=NOON), entry(4)]
    first, second = grouped(known)
    assert first == {
        "waiting": 2,
        "resent": 1,
        "connection": "crm",
        "where": "$.data",
        "reason": "is wrong",
        "first_at": NOON + 1,
        "last_at": NOON + 4,
        "newest": "id-4",
    }
    assert (second["waiting"], second["resent"]) == (0, 1)
    assert [row["id"] for row in one_by_one(known)] == ["id-4", "id-3", "id-2", "id-1"]


@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        (Choice(), ["id-1", "id-2", "id-3", "id-4"]),
        (Choice(connection="crm"), ["id-1", "id-2", "id-4"]),
        (Choice(connection=""), ["id-3"]),
        (Choice(reason="NO RATE"), ["id-2"]),
        (Choice(reason="$.data: is"), ["id-1", "id-3", "id-4"]),
        (Choice(since=NOON + 2), ["id-2", "id-3", "id-4"]),
        (Choice(waiting=True), ["id-1", "id-2", "id-3"]),
    ],
)
def test_choices(choice, taken):
    known = [entry(1), entry(2, "no rate"), entry(3, connection=None), entry(4, resent_at=NOON)]
    assert [each.id for each in known if choice.takes(each)] == taken


def test_since_is_a_span_or_a_time():
    assert instant_of(None, "UTC") == 0
    assert instant_of("2026-03-02T13:00", "Europe/Berlin") == NOON
    assert instant_of("2026-03-02T12:00Z", "Europe/Berlin") == NOON
    assert instant_of("2h", "UTC") - instant_of("3h", "UTC") == pytest.approx(HOUR, abs=10 * SECOND)
    with pytest.raises(Fatal, match="is no time"):
        instant_of("yesterday", "UTC")
