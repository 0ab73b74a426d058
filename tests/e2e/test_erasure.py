"""Privacy on real servers: who is known only in deliveries and dead letters, and what is left of somebody who was erased."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import canary
import conversation
import pytest
from canary import ANYTHING, PERSONAL
from crowd import RULES
from histories import erased
from services import Redis, free_port
from system import PARTITIONS, SECRET, START_S, System, installed

from models.units import MINUTE, SECOND
from streams.config import Settings, load
from streams.dead.reading import dead_letters
from streams.dead_letters import DeadLetter
from streams.inbound.providers.close.provider import key_of, sign
from streams.local.deliveries import post

CLOSE = conversation.connection()
CLOSE_SETTINGS = (conversation.CASES / "settings.toml").read_text()
SUBJECT_KEY = "ab" * 32

PAGES = (
    "/api/v1/kpis",
    "/api/v1/waiting",
    "/api/v1/kpis/leads_created/leads?window=90d",
    "/api/v1/kpis/meetings_booked/leads?window=24h",
    "/api/v1/kpis/deals_lost/leads?window=24h",
)
"""What the API tells of leads."""


class Raw(NamedTuple):
    """A delivery with a body of its own."""

    id: str
    body: str


@dataclass
class Installed:
    """A whole Leadbeat with two connections, that logs as much as it can."""

    system: System
    server: Redis
    config: Path
    ports: list[int]

    @property
    def settings(self) -> Settings:
        return load(self.config)

    # --- in

    async def deliver(self, now: int) -> None:
        """All that CRMs can tell of the canary, by both connections."""
        for number, body in enumerate(canary.deliveries(now)):
            await post(self.system.client, self.system.hook, SECRET, Raw(f"msg_{number}", body))
        hook = f"http://127.0.0.1:{self.system.gateway_port}/hooks/{CLOSE.token.get_secret_value()}"
        key = key_of(CLOSE.secrets[0].get_secret_value())
        for body in canary.of_close():
            raw, timestamp = body.encode(), str(now // SECOND)
            headers = {"close-sig-timestamp": timestamp, "close-sig-hash": sign(timestamp, raw, key)}
            assert (await self.system.client.post(hook, content=raw, headers=headers)).status_code == 202

    async def come_to(self, clock: int) -> None:
        """Wait until the numbers are those of all that was delivered."""
        await self.system.tick(clock)
        await self.system.round(clock)

    # --- out

    async def letters(self) -> list[DeadLetter]:
        """The dead letters that `leadbeat dead` knows of."""
        async with dead_letters(self.settings) as found:
            return [letter async for letter in found.letters(found.entries.values())]

    async def topic(self, name: str, partitions: int = PARTITIONS) -> bytes:
        """All that a topic holds."""
        records = [each for part in await self.system.records(name, partitions) for each in part]
        return _joined(part for record in records for part in (record.key, record.value))

    async def metrics(self) -> bytes:
        """What all processes tell Prometheus."""
        return b"".join([await self._get(f"http://127.0.0.1:{port}/metrics") for port in self.ports])

    async def api(self) -> bytes:
        """What the API tells."""
        return b"".join([await self._get(f"http://127.0.0.1:{self.system.exporter_port}{page}") for page in PAGES])

    async def _get(self, url: str) -> bytes:
        answer = await self.system.client.get(url)
        assert answer.is_success, (url, answer.text)
        return answer.content

    def logs(self) -> bytes:
        """What all processes have said."""
        return b"".join(service.text().encode() for service in self.system.services)

    async def redis(self) -> bytes:
        """All keys of Redis, and all that they hold."""
        redis = self.system.redis
        return _joined([part async for key in redis.scan_iter() for part in (key, *await _held(redis, key))])

    async def file_of_redis(self) -> bytes:
        """What Redis has on its disk, once it has written that anew."""
        redis = self.system.redis
        await redis.config_set("aof-use-rdb-preamble", "no")
        await redis.bgrewriteaof()

        async def written() -> bool:
            state = await redis.info("persistence")
            return not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]

        await self.system.until(written, START_S, "Redis has written its file anew")
        return b"".join(path.read_bytes() for path in self.server.server.folder.rglob("appendonly*") if path.is_file())


def _joined(parts: Iterable[Any]) -> bytes:
    return b"\n".join(part if isinstance(part, bytes) else repr(part).encode() for part in parts if part is not None)


async def _held(redis: Any, key: bytes) -> list[Any]:
    match await redis.type(key):
        case b"hash":
            return [part for each in (await redis.hgetall(key)).items() for part in each]
        case b"set":
            return list(await redis.smembers(key))
        case b"zset":
            return await redis.zrange(key, 0, -1)
        case b"stream":
            return [part for _, fields in await redis.xrange(key) for each in fields.items() for part in each]
        case b"string":
            return [await redis.get(key)]
    raise AssertionError(key)


def seen(place: bytes, needles: Iterable[str]) -> set[str]:
    """Which of them are in a place, in capitals or not."""
    text = place.lower()
    return {needle for needle in needles if needle.encode() in text}


@pytest.fixture
async def leadbeat(kafka, redis_factory, tmp_path, topic_prefix) -> AsyncIterator[Installed]:
    server = redis_factory(append_only=True)
    async with installed(kafka, server, tmp_path, topic_prefix, RULES) as system:
        normaliser, processor = free_port(), free_port()
        config = system.configure(
            subject_key=SUBJECT_KEY, normaliser_port=normaliser, processor_port=processor, log_level="debug"
        )
        config.write_text(f"{config.read_text()}\n{CLOSE_SETTINGS}")
        for name in ("gateway", "worker", "exporter"):
            system.start(name, config)
        await system.accepting()
        yield Installed(system, server, config, [normaliser, processor, system.gateway_port, system.exporter_port])


@pytest.mark.timeout(300)
async def test_nobody_is_named_but_in_deliveries_and_dead_letters_and_nothing_is_left_of_who_is_erased(leadbeat, now, run):
    topics = leadbeat.system.topics
    await leadbeat.deliver(now)
    await leadbeat.come_to(now)

    # Where bodies are kept the person is, and where ids are told they are: so what looks for them finds them.
    letters = await leadbeat.letters()
    assert seen(_joined(letter.record for letter in letters), PERSONAL) == set(PERSONAL)
    assert seen(await leadbeat.topic(topics.deliveries), PERSONAL) == set(PERSONAL)
    for place in (leadbeat.redis(), leadbeat.file_of_redis(), leadbeat.api(), leadbeat.topic(topics.events)):
        assert "canary" in seen(await place, ANYTHING)

    async def unnamed() -> None:
        """Names, addresses, numbers and texts are nowhere else; in logs, metrics and KPIs not even ids are."""
        for told in (leadbeat.topic(topics.events), leadbeat.topic(topics.alerts, 1), leadbeat.redis(), leadbeat.api()):
            assert seen(await told, PERSONAL) == set()
        for place in (leadbeat.logs(), await leadbeat.metrics(), await leadbeat.topic(topics.kpis, 1)):
            assert place
            assert seen(place, ANYTHING) == set()

    await unnamed()

    # Erased by webhooks, and by hand where the CRM has no such event.
    people = [erased(now, name) for name in (canary.LEAD, f"{canary.LEAD}-waits", canary.OTHER)]
    await leadbeat.system.post([*people, erased(now, canary.ACCOUNT, of="account")])
    options = [word for address in canary.addresses() for word in ("--address", address)]
    for words in ([canary.CONTACT, canary.COMPANY, *options], [canary.COMPANY, "--kind", "account"]):
        code, _, err = await asyncio.to_thread(run, "erase", CLOSE.name, *words, "--yes", "--config", leadbeat.config)
        assert code == 0, err
    await leadbeat.come_to(now + MINUTE)

    async def forgotten() -> None:
        async def no_letters() -> bool:
            return not await leadbeat.letters()

        await leadbeat.system.until(no_letters, START_S, "no dead letter is about the person")
        for place in (leadbeat.redis(), leadbeat.file_of_redis(), leadbeat.api()):
            assert seen(await place, ANYTHING) == set()
        await unnamed()

    await forgotten()
    taken_out = {letter.id.encode() for letter in letters}
    assert taken_out <= await _without_value(leadbeat)

    # CRMs send it all once more, and somebody who had read the letters before sends them again.
    await leadbeat.deliver(now)
    await _send_again(leadbeat.system, letters, now)
    await leadbeat.come_to(now + 2 * MINUTE)
    await forgotten()


async def _without_value(leadbeat: Installed) -> set[bytes]:
    (records,) = await leadbeat.system.records(leadbeat.system.topics.dead, 1)
    newest = {record.key: record.value for record in records}
    return {key for key, value in newest.items() if value is None}


async def _send_again(system: System, letters: Iterable[DeadLetter], now: int) -> None:
    """As `leadbeat dead resend` does: those that are read after all, and those that fail again."""
    for letter in letters:
        again = json.loads(letter.record) | {"resent_at": now}
        headers = {"connection": letter.connection, "received_at": str(letter.received_at), "dead_letter": json.dumps(again)}
        encoded = [(name, value.encode()) for name, value in headers.items()]
        await system.producer.send_and_wait(system.topics.deliveries, letter.content, headers=encoded)
