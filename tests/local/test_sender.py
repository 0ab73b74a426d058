"""A simulated floor as a CRM of an installation: how it signs, and that it waits for a gateway that is away."""

import httpx
import pytest

from streams.config import Settings
from streams.config.settings import Connection
from streams.errors import Fatal, Retry
from streams.local import sender
from streams.local.deliveries import Batch, secret_of
from streams.local.sender import Sender, credentials

TOKEN = "token_of_the_crm_0123456789"
SECRET = secret_of(1)
SETTINGS = Settings(connections=(Connection(name="crm", token=TOKEN, secrets=(SECRET, secret_of(2))),))
BATCHES = [Batch(f"msg_{number}", ({"id": str(number)},)) for number in range(5)]


def test_a_connection_of_the_settings_says_where_to_deliver_and_what_signs():
    assert credentials(SETTINGS, "crm") == (f"/hooks/{TOKEN}", SECRET)


def test_a_connection_that_is_not_there_is_named():
    with pytest.raises(Fatal, match="'erp'"):
        credentials(SETTINGS, "erp")


async def test_every_batch_is_delivered_once_though_the_gateway_was_away(monkeypatch):
    delivered = []

    async def post_all(client, hook, secret, batches, acknowledged):
        assert (hook, secret) == ("http://gateway/hooks/x", SECRET)
        away = not delivered
        for batch in batches[:2] if away else batches:
            delivered.append(batch.id)
            acknowledged(batch)
        if away:
            raise ExceptionGroup("posting", [Retry("delivery", "not acknowledged", "send it again later")])

    monkeypatch.setattr(sender, "post_all", post_all)
    async with httpx.AsyncClient() as client:
        await Sender(client, "http://gateway/hooks/x", SECRET).send(BATCHES)
    assert delivered == [batch.id for batch in BATCHES]


async def test_a_refusal_ends_it():
    gateway = httpx.MockTransport(lambda _: httpx.Response(401))
    async with httpx.AsyncClient(transport=gateway) as client:
        with pytest.RaisesGroup(Fatal):
            await Sender(client, "http://gateway/hooks/x", SECRET).send(BATCHES[:1])
