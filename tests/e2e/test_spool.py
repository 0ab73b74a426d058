"""Kafka away and gateways killed at any moment: what was answered with success is on the topic, in the order of each sender."""

import asyncio
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from children import Service, command, end
from examined import findings_of, told
from services import CHECKOUT, Kafka, free_port, until
from spooling import disordered, lost
from standardwebhooks.webhooks import Webhook

from models.units import SECOND, moment
from streams.inbound.normalise import Delivery
from streams.inspection.findings import Level
from streams.local.deliveries import secret_of, wall
from streams.local.truth_page import parse
from streams.topics import Topics, ensure

TOKEN = "token_of_the_crm_0123456789"
SECRET = secret_of(1)
PARTITIONS = 4
START_S = 60
KILLS = 6


@dataclass
class Gateway:
    """A gateway with a spool, which may be killed and started again."""

    folder: Path
    bootstrap: str
    prefix: str = ""
    port: int = field(default_factory=free_port)
    service: Service | None = None
    starts: int = 0

    @property
    def spool(self) -> Path:
        return self.folder / "spool.db"

    @property
    def config(self) -> Path:
        path = self.folder / "leadbeat.toml"
        path.write_text(f"""
            kafka = {{ bootstrap = "{self.bootstrap}", topic_prefix = "{self.prefix}", partitions = {PARTITIONS} }}
            gateway = {{ port = {self.port}, spool = "{self.spool}", acknowledge_timeout = "2s" }}
            connections = [{{ name = "crm", token = "{TOKEN}", secrets = ["{SECRET}"] }}]
        """)
        return path

    def start(self) -> None:
        self.starts += 1
        self.service = Service.start("gateway", self.config, self.folder / f"gateway-{self.starts}.log")

    async def told(self, name: str) -> float | None:
        """A gauge of its spool; None while there is none, or nobody answers."""
        try:
            async with httpx.AsyncClient() as client:
                page = parse((await client.get(f"http://127.0.0.1:{self.port}/metrics")).text)
        except httpx.TransportError:
            return None
        return page.get((f"leadbeat_gateway_spool_{name}", frozenset()))

    async def waits(self) -> bool:
        return (await self.told("deliveries") or 0) > 0

    async def is_empty(self) -> bool:
        return await self.told("deliveries") == 0


@pytest.fixture
def gateway(tmp_path, kafka, topic_prefix):
    gateway = Gateway(tmp_path, kafka.bootstrap, topic_prefix)
    yield gateway
    end([gateway.service] if gateway.service else [])


@dataclass
class Senders:
    """Some who post one delivery after the other, each until it is accepted."""

    url: str
    accepted: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """When the attempt began that was accepted, and when the answer came."""
    enough: bool = False

    async def send(self, sender: str) -> None:
        async with httpx.AsyncClient(timeout=10) as client:
            number = 0
            while not self.enough:
                number += 1
                value = f"{sender} {number}".encode()
                await until(lambda value=value: self._post(client, value), START_S, f"{value!r} is accepted")

    async def _post(self, client: httpx.AsyncClient, value: bytes) -> bool:
        began = wall()
        try:
            answer = await client.post(self.url, content=value, headers=signed(value))
        except httpx.TransportError:
            return False
        if answer.status_code == 202:
            self.accepted[value] = began, wall()
        return answer.status_code == 202

    async def go_on(self, count: int) -> None:
        """Return when so many more are accepted."""
        enough = len(self.accepted) + count
        await until(lambda: len(self.accepted) >= enough, START_S, "more is accepted")


def signed(value: bytes) -> dict[str, str]:
    """The headers of a delivery that is sent now."""
    webhook, at = Webhook(SECRET), wall()
    identity = value.decode().replace(" ", "_")
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(at // SECOND),
        "webhook-signature": webhook.sign(identity, moment(at), value.decode()),
    }


async def topic_of(kafka: Kafka, topic: str) -> list[list[Delivery]]:
    """All deliveries of the topic, by partition."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap) as consumer:
        sources = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(sources)
        await consumer.seek_to_beginning(*sources)
        ends = await consumer.end_offsets(sources)
        found = {source: [] for source in sources}
        while any([await consumer.position(source) < ends[source] for source in sources]):
            for source, records in (await consumer.getmany(timeout_ms=500)).items():
                found[source] += [Delivery.of_record(each.headers, each.value, topic, 0, each.offset) for each in records]
        return list(found.values())


async def test_kafka_away_and_gateways_killed_meanwhile(kafka, gateway):
    rng, began = Random(6), wall()
    gateway.start()
    senders = Senders(f"http://127.0.0.1:{gateway.port}/hooks/{TOKEN}")
    sending = [asyncio.create_task(senders.send(name)) for name in ("ana", "ben", "cleo", "dan")]
    await senders.go_on(100)

    async def kill() -> None:
        gateway.service.kill()
        gateway.start()
        await senders.go_on(20)

    kafka.server.stop()
    try:
        await until(gateway.waits, START_S, "deliveries wait in the spool")
        for _ in range(KILLS):
            await senders.go_on(rng.randrange(1, 80))
            await kill()
        oldest = await gateway.told("oldest_receipt_timestamp_seconds")
        assert began < oldest * SECOND < wall()
        (waiting,) = told(await findings_of(gateway.config), Level.WARN, "spool of the gateway")
        assert waiting.startswith("accepted deliveries that wait for Kafka: ")
    finally:
        kafka.server.start()
    for _ in range(2):
        await kill()
    await until(gateway.is_empty, START_S, "the spool is empty")
    await senders.go_on(50)
    senders.enough = True
    await asyncio.gather(*sending)
    await until(gateway.is_empty, START_S, "the spool is empty")

    partitions = await topic_of(kafka, Topics(gateway.prefix).deliveries)
    values = [[each.body for each in partition if each.connection == "crm"] for partition in partitions]
    assert lost(senders.accepted, values) == set()
    assert disordered(values) == []
    receipts: dict[bytes, list[int]] = {}
    for delivery in (each for partition in partitions for each in partition):
        assert delivery.headers["webhook-id"] == delivery.body.decode().replace(" ", "_")
        receipts.setdefault(delivery.body, []).append(delivery.received_at)
    late = {
        value for value, (began, ended) in senders.accepted.items() if not any(began <= at <= ended for at in receipts[value])
    }
    assert late == set()


async def refusal(gateway: Gateway) -> str:
    """What a gateway says that must not start."""
    asking = [*command("gateway", gateway.config)]
    done = await asyncio.to_thread(
        subprocess.run, asking, cwd=CHECKOUT, capture_output=True, text=True, timeout=START_S, check=False
    )
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    return done.stderr


async def test_two_gateways_on_one_spool(tmp_path):
    first = Gateway(tmp_path, "127.0.0.1:1")
    first.start()
    try:
        await until(first.is_empty, START_S, "the first one runs")
        told = await refusal(Gateway(tmp_path, "127.0.0.1:1"))
    finally:
        end([first.service])
    assert f"{tmp_path}/spool.db: another process uses it (give each gateway a gateway.spool of its own)" in told


async def test_a_damaged_spool(tmp_path):
    (tmp_path / "spool.db").write_bytes(b"damaged" * 1000)
    assert "spool.db: is damaged: file is not a database" in await refusal(Gateway(tmp_path, "127.0.0.1:1"))


async def test_topics_with_another_number_of_partitions_though_it_has_a_spool(kafka, gateway):
    await ensure(kafka.bootstrap, PARTITIONS + 1, prefix=gateway.prefix)
    assert "5 partitions where kafka.partitions is 4" in await refusal(gateway)
