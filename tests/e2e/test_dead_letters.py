"""Dead letters on real servers: listed, explained, sent again after a fix; each counts once, and none is lost."""

import asyncio
import json

import pytest
from aiokafka.admin import NewTopic
from crowd import RULES
from histories import call, deal, lead
from system import CONNECTION, PARTITIONS, START_S

from models.units import HOUR, MINUTE
from streams.topics import Topics

POUNDS = 'money.rates = [{ currency = "GBP", rate = "1.2" }]\n'
NAME = "Jane Canary"
HOSTILE = "\x1b\x07\x9b\u202e"
"""What acts on a terminal."""


class Desk:
    """`leadbeat dead` with some settings."""

    def __init__(self, run, config) -> None:
        self._run, self._config = run, config

    async def __call__(self, *words: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(self._run, "dead", *words, "--config", self._config)

    async def listed(self, *words: str) -> dict[str, dict[str, object]]:
        """The letters one by one, by id."""
        code, out, err = await self("list", "--each", "--json", *words)
        assert code == 0, err
        return {row["id"]: row for row in json.loads(out)}


@pytest.mark.timeout(240)
async def test_what_is_sent_again_after_a_fix_counts_once_and_what_fails_again_is_the_same_letter(system, now, run):
    before, fixed = system.configure(), system.configure(f"{RULES}{POUNDS}")
    for name in ("gateway", "exporter", "processor"):
        system.start(name, fixed)
    normaliser = system.start("normaliser", before)
    await system.accepting()
    won = deal("d1", "ada", created_at=now - HOUR, amount=1000, currency="GBP", outcome="won", closed_at=now - MINUTE)
    never = call("c1", now - MINUTE, channel=f"by {HOSTILE}") | {"note": NAME}
    await system.post([lead("ada", created_at=now - HOUR), won | {"note": NAME}, never])
    old, new = Desk(run, before), Desk(run, fixed)

    async def dead(waiting: int, read: int) -> dict[str, dict[str, object]] | None:
        found = await new.listed()
        came = [row["resent_at"] for row in found.values()]
        return found if (came.count(None), len(came)) == (waiting, waiting + read) else None

    found = await system.until(lambda: dead(2, 0), START_S, "both letters are there")
    of_deal, of_call = sorted(found, key=lambda each: found[each]["where"], reverse=True)
    assert {row["where"]: row["reason"] for row in found.values()} == {
        "$.data.currency": "GBP has no rate",
        "$.data.channel": "Invalid enum value …",
    }

    # What is in them is shown, and by nothing but `show`.
    _, shown, _ = await new("show", of_call)
    assert NAME in shown
    assert '→     "channel": "by \\u001b\\u0007\\x9b\\u202e"' in shown
    told = [await new(*words) for words in (["list"], ["list", "--each"], ["resend", "--all", "--check"])]
    assert not [out for _, out, err in told if "Canary" in out + err or set(HOSTILE) & set(out)]
    _, as_json, _ = await new("show", of_call, "--json")
    assert NAME in json.loads(as_json)["body"]
    assert not set(as_json) & set(HOSTILE)

    # Before the fix none can be read, with it one; to check sends nothing.
    ends = await system.ends(system.topics.deliveries)
    assert (await old("resend", "--all", "--check"))[:1] == (1,)
    code, out, _ = await new("resend", "--all", "--check")
    assert (code, out.splitlines()[-1]) == (1, "could be read: 1, still dead: 1")
    assert await system.ends(system.topics.deliveries) == ends

    # The normaliser has the old settings yet: the same letter comes back.
    assert (await new("resend", of_deal))[0] == 0
    await system.until(lambda: _committed(system, ends + 1), START_S, "it was read in vain")
    assert await dead(2, 0)

    # Twice, as two people may do: it counts once.
    normaliser.stop()
    for _ in range(2):
        assert (await new("resend", "--all", "--reason", "no rate", "--connection", CONNECTION))[0] == 0
    system.start("normaliser", fixed)
    found = await system.until(lambda: dead(1, 1), START_S, "it was read")
    assert found[of_deal]["resent_at"] is not None
    assert list(await new.listed("--waiting")) == [of_call]
    await system.tick(now)
    page = await system.round(now)
    assert page["leadbeat_deals_won", frozenset({("window", "24h")})] == 1

    # It needs no sending any more.
    ends = await system.ends(system.topics.deliveries)
    code, out, _ = await new("resend", of_deal)
    assert (code, "was read when it was sent again" in out) == (0, True)
    assert await system.ends(system.topics.deliveries) == ends
    assert NAME not in (await new("show", of_deal))[1]
    for words in (["show", "0123456789abcdef"], ["resend", of_deal, "none"], ["resend"], ["resend", "--all", of_deal]):
        assert (await new(*words))[0] == 2


async def _committed(system, end: int) -> bool:
    return await system.committed("normaliser") >= end


async def test_what_the_processor_cannot_read_is_listed_and_stays_where_it_is(system, now, run):
    config = system.configure()
    desk = Desk(run, config)
    system.start("processor", config)
    await system.producer.send_and_wait(system.topics.events, b"not an event", b"lead:crm:1", partition=2)
    await system.append([lead("ada", created_at=now - HOUR)])
    await system.settled(now)
    (identity,) = await system.until(desk.listed, START_S, "the letter is there")
    code, out, _ = await desk("resend", identity)
    assert (code, "it was no delivery of the gateway" in out) == (1, True)


async def test_old_letters_without_a_key_are_listed_and_sent_again(system, now, run):
    """As a release before had them, in a topic that was made then."""
    topics = Topics(f"old.{system.prefix}")
    await system.admin.create_topics(
        [
            NewTopic(topics.dead, 1, 1, topic_configs={"cleanup.policy": "delete"}),
            NewTopic(topics.deliveries, PARTITIONS, 1),
        ]
    )
    config = system.configure()
    config.write_text(config.read_text().replace(f'"{system.prefix}"', f'"{topics.prefix}"'))
    letter = {
        "reason": "Invalid RFC3339 encoded datetime",
        "where": "$.timestamp",
        "todo": "see the event schema",
        "topic": topics.deliveries,
        "partition": 1,
        "offset": 7,
        "connection": CONNECTION,
        "received_at": now,
        "index": 2,
        "body": json.dumps(call("c1", now - MINUTE) | {"timestamp": "soon"}),
    }
    await system.producer.send_and_wait(topics.dead, json.dumps(letter).encode())
    desk = Desk(run, config)
    (identity,) = await desk.listed("--since", "1h", "--connection", CONNECTION, "--reason", "rfc3339")
    assert await desk.listed("--since", "2100-01-01T00:00Z") == {}
    assert (await desk("resend", identity))[0] == 1
    letter["body"] = json.dumps(call("c1", now - MINUTE))
    await system.producer.send_and_wait(topics.dead, json.dumps(letter).encode())
    assert (await desk("resend", identity))[0] == 0
    ((record,),) = [each for each in await system.records(topics.deliveries) if each]
    assert dict(record.headers)["received_at"] == b"%d" % now
    code, _, err = await desk("list", "--since", "yesterday")
    assert (code, "write 2h, 1d" in err) == (2, True)
