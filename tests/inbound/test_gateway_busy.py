"""What senders are told while neither Kafka nor the spool takes a delivery."""

import httpx
import pytest
from prometheus_client import CollectorRegistry

from streams.config import Settings
from streams.inbound import gateway
from streams.inbound.providers import PROVIDERS, standard
from streams.inbound.providers.contract import Busy
from streams.inbound.spool_file import SpoolFull
from streams.local.deliveries import Batch, secret_of, sign, wall

TOKEN = "token_of_acme_0123456789"
SECRET = secret_of(1)


class Full:
    """Takes nothing."""

    async def append(self, value, headers):
        raise SpoolFull("spool.db", "is full")

    def unready(self):
        return "the spool is full, or its disk is"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def client(registry):
    settings = Settings.model_validate({"connections": [{"name": "acme", "token": TOKEN, "secrets": [SECRET]}]})
    app = gateway.create(settings, Full(), wall, registry)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def test_it_is_what_their_provider_says(client, registry, monkeypatch):
    batch = Batch("msg_1", ({},))
    for busy in (standard.BUSY, Busy(429, 30)):
        monkeypatch.setattr(standard, "BUSY", busy)
        answer = await client.post(f"/hooks/{TOKEN}", content=batch.body, headers=sign(SECRET, batch, wall()))
        assert (answer.status_code, answer.headers["retry-after"]) == (busy.status, str(busy.retry_after_s))
        assert answer.json() == {"error": "try again later"}
    labels = {"connection": "acme", "reason": "spool_full"}
    assert registry.get_sample_value("leadbeat_deliveries_refused_total", labels) == 2


async def test_the_gateway_is_not_ready_then_and_says_why(client):
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "the spool is full, or its disk is\n")


def test_each_provider_has_a_status_that_its_senders_repeat_deliveries_after():
    assert {name: each.BUSY for name, each in PROVIDERS.items()} == {"standard": (503, 10), "close": (503, 10)}
