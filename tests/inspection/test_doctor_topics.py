"""The doctor over topics of a real Kafka: how they are set, and which letters lie dead in theirs."""

import itertools

from aiokafka.admin import NewTopic
from examined import findings_of, now, told
from msgspec import UNSET
from msgspec.structs import replace

from models.units import DAY
from streams.dead_letters import DeadLetter
from streams.dead_letters.marks import erasure_by
from streams.hashing import Hashing
from streams.inspection import tails
from streams.inspection.doctor import lines
from streams.inspection.findings import Level
from streams.topics import Topics


async def test_topics_that_are_not_as_they_should_be(system):
    topics, prefix = Topics(f"odd.{system.prefix}"), f"odd.{system.prefix}"
    odd = {"cleanup.policy": "compact", "retention.ms": "1000", "max.message.bytes": "1000", "segment.ms": "1000"}
    await system.admin.create_topics(
        [
            NewTopic(topics.deliveries, 2, 1, topic_configs=odd),
            NewTopic(topics.dead, 2, 1),
            NewTopic(topics.alerts, 1, 1, topic_configs={"segment.ms": "3600000"}),
        ]
    )
    config = system.configure()
    config.write_text(
        config.read_text().replace(f'"{system.prefix}"', f'"{prefix}"') + "[kafka.x]\n".replace("[kafka.x]\n", "")
    )
    found = await findings_of(config)
    where = f"topic {topics.deliveries}"
    assert told(found, Level.FAIL, where) == [
        "has 2 partitions where kafka.partitions is 4",
        "cleanup.policy is compact: it would lose records that are needed",
    ]
    assert told(found, Level.WARN, where) == [
        "max.message.bytes is 1000: large deliveries are refused",
        "retention.ms is 1000: less is kept, so less can be made up for after a loss",
    ]
    assert told(found, Level.WARN, f"topic {topics.dead}") == [
        "max.message.bytes is 1048588: large deliveries are refused",
        "cleanup.policy is delete: what was taken out, or is old, is kept for longer",
        "retention.ms is 604800000: less is kept, so less can be made up for after a loss",
        "segment.ms is 604800000: what is old, or was taken out, is kept for longer",
        "max.compaction.lag.ms is 9223372036854775807: what was taken out or overtaken is kept for longer",
    ]
    assert told(found, Level.OK, f"topic {topics.alerts}") == ["1 partition, 1 replica"]
    config.write_text(config.read_text() + '[retention]\nalerts = "1d"\n')
    found = await findings_of(config)
    assert told(found, Level.WARN, f"topic {topics.alerts}") == [
        "retention.ms is 604800000: bodies and ids are kept for longer than the settings say"
    ]
    config.write_text(config.read_text().replace("replication_factor = 1", "replication_factor = 3"))
    found = await findings_of(config)
    assert "1 replica where kafka.replication_factor is 3" in told(found, Level.WARN, f"topic {topics.alerts}")
    assert "min.insync.replicas is 1: a write may lie on fewer replicas than it should" in told(
        found, Level.WARN, f"topic {topics.alerts}"
    )


async def test_dead_letters_are_counted_by_their_reasons(system, monkeypatch):
    monkeypatch.setattr(tails, "MOST_DEAD", 30)
    config = system.configure()
    assert told(await findings_of(config), Level.OK, "dead letters") == ["none for a day"]

    numbers = itertools.count()

    async def letter(reason: str, where: str = "$.timestamp", connection: str | None = "crm", **options) -> DeadLetter:
        dead = DeadLetter(
            "crm.deliveries.v1", 0, next(numbers), connection, reason=reason, where=where, body=f"{reason} of Jane"
        )
        await system.producer.send_and_wait(system.topics.dead, dead.record, dead.id.encode(), **options)
        return dead

    await letter("of long ago", timestamp_ms=now() - 2 * DAY)
    for number in range(3):
        await letter(f"2026-05-04T09:05:0{number}.000Z lies over 5 minutes after the receipt at 2026-05-04T09:00:00.000Z")
    for value in ("'x'", "'y'"):
        await letter(f"Invalid enum value {value}", "$.data.\x1b[2Jchannel")
    await letter("is not a delivery of the gateway", "crm.deliveries.v1[1]@17", None)
    found = await findings_of(config)
    assert told(found, Level.WARN, "dead letters") == [
        "3 of the last 6 of crm: $.timestamp: … lies over 5 minutes after the receipt at …",
        "2 of the last 6 of crm: $.data.\x1b[2Jchannel: Invalid enum value …",
        "1 of the last 6: crm.deliveries.v1: is not a delivery of the gateway",
    ]
    assert "\x1b" not in "".join(lines(found))
    for number in range(40):
        await letter("x" * (number % 7))
    await system.producer.send_and_wait(system.topics.dead, b"not ours", b"a key")
    *kinds, more = told(await findings_of(config), Level.WARN, "dead letters")
    assert len(kinds) == 5
    assert more == "47 in a day, 8 kinds among the last 30"
    # What was read when it was sent again, what was taken out and what tells of an erasure is none that waits.
    read, removed = await letter("of one"), await letter("of another")
    again = replace(read, body=UNSET, resent_at=now())
    erasure = erasure_by(Hashing(), "lead", "crm:1")
    for key, value in ((read.id, again.record), (removed.id, None), (erasure.key.decode(), erasure.record)):
        await system.producer.send_and_wait(system.topics.dead, value, key.encode())
    *_, more = told(await findings_of(config), Level.WARN, "dead letters")
    assert more == "47 in a day, 8 kinds among the last 25"
