"""A small history of Close through the gateway, Kafka and the normaliser."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import conversation
import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from conversation import RECEIVED, case, told
from owners import SESSION_S
from services import until

from models.units import MINUTE, SECOND, Millis
from streams.config import Settings
from streams.inbound import gateway
from streams.inbound.deliveries import KafkaDeliveries
from streams.inbound.normaliser import run
from streams.inbound.providers.close.provider import key_of, sign
from streams.topics import TICK_KEY, Topics, ensure

LIMIT_S = 30
TOKEN = conversation.connection().token.get_secret_value()
KEY = key_of(conversation.connection().secrets[0].get_secret_value())

HISTORY = (
    "contact_created",
    "lead_created",
    "form_submitted",
    "call_created",
    "call_answered",
    "call_completed",
    "email_sent_by_workflow",
    "email_sent_to_address",
    "email_received",
    "sms_sent",
    "note_created",
    "meeting_scheduled",
    "meeting_held",
    "opportunity_created",
    "opportunity_won",
    "unsubscribed",
    "call_updated_contact",
    "lead_merged",
    "task_completed",
)
BAD = (b"not JSON", b'{"event": {"id": "ev_1", "object_type": "lead", "action": "created"}}')


def settings(bootstrap: str, prefix: str) -> Settings:
    kafka = {
        "bootstrap": bootstrap,
        "topic_prefix": prefix,
        "group": f"{prefix}leadbeat",
        "session_timeout_s": SESSION_S,
        "create_topics": False,
    }
    money = {"rates": [{"currency": "USD", "rate": "0.9"}]}
    plain = Settings.model_validate({"kafka": kafka, "ticks": "external", "money": money})
    return plain.model_copy(update={"connections": (conversation.connection(),)})


def signed(body: bytes, at: Millis = RECEIVED, key: bytes = KEY) -> dict[str, str]:
    timestamp = str(at // SECOND)
    return {"close-sig-timestamp": timestamp, "close-sig-hash": sign(timestamp, body, key), "authorization": "dropped"}


@asynccontextmanager
async def at_the_door(deployed: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway that writes to Kafka, at the time of the conversation."""
    async with KafkaDeliveries(deployed).running() as deliveries:
        await until(deliveries.ready, LIMIT_S, "the gateway is ready")
        app = gateway.create(deployed, deliveries, lambda: RECEIVED)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            yield client


async def records(bootstrap: str, topic: str, count: int) -> list[Any]:
    """The values of a topic, ticks aside, once there are so many."""
    found: list[Any] = []
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(LIMIT_S):
            while len(found) < count:
                record = await anext(consumer)
                found += [] if record.key == TICK_KEY else [record]
    return found


def in_order(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(events, key=lambda event: event["id"])


@pytest.fixture
async def deployed(kafka, topic_prefix) -> Settings:
    await ensure(kafka.bootstrap, 4, 1, topic_prefix)
    return settings(kafka.bootstrap, topic_prefix)


async def test_what_close_sends_lies_in_the_events_topic_as_canonical_events(kafka, deployed):
    topics, stopping = Topics(deployed.kafka.topic_prefix), asyncio.Event()
    expected = [event for name in HISTORY for event in case(name).events or ()]
    async with at_the_door(deployed) as client:
        normalising = asyncio.create_task(run(deployed, stopping=stopping))
        try:
            for body in (*(case(name).raw for name in HISTORY), *BAD):
                answer = await client.post(f"/hooks/{TOKEN}", content=body, headers=signed(body))
                assert answer.status_code == 202
            events = await records(kafka.bootstrap, topics.events, len(expected))
            dead = await records(kafka.bootstrap, topics.dead, len(BAD))
        finally:
            stopping.set()
            await normalising
    assert {record.key for record in events} == {f"lead:{event['subject']['id']}".encode() for event in expected}
    assert in_order(told([record.value for record in events])) == in_order(expected)
    letters = [json.loads(record.value) for record in dead]
    assert sorted((letter["body"], letter["where"], letter["connection"]) for letter in letters) == [
        (BAD[0].decode(), "$", "acme"),
        (BAD[1].decode(), "$.event.date_updated", "acme"),
    ]


async def test_what_close_has_not_signed_lately_is_not_taken(deployed):
    body = case("call_created").raw
    forged = [
        {},
        signed(body + b" "),
        signed(body, key=b"another key"),
        signed(body, Millis(RECEIVED - 5 * MINUTE - SECOND)),
        signed(body, Millis(RECEIVED + 5 * MINUTE + SECOND)),
        signed(body) | {"close-sig-timestamp": "0"},
    ]
    async with at_the_door(deployed) as client:
        answers = [await client.post(f"/hooks/{TOKEN}", content=body, headers=headers) for headers in forged]
        stranger = await client.post("/hooks/token_of_nobody_at_all", content=body, headers=signed(body))
        assert (await client.post(f"/hooks/{TOKEN}", content=body, headers=signed(body))).status_code == 202
    assert [answer.status_code for answer in answers] == [401] * len(forged)
    assert stranger.status_code == 404
