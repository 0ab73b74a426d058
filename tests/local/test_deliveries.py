"""Deliveries as a CRM makes them: batches, faults, signatures, attempts."""

import json
import time
from collections import Counter

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from models.units import MINUTE, Millis
from streams.errors import Fatal, Retry
from streams.local.deliveries import Batch, Courier, Faults, deliveries, post, secret_of, sign

EVENTS = [{"id": f"event-{number}", "name": "Zoë"} for number in range(2_000)]
BATCH = Batch("msg_1", tuple(EVENTS[:2]))
SECRET = secret_of(1)
URL = "https://leadbeat.example/hooks/token-that-nobody-may-see"


def identities(batches):
    return [event["id"] for batch in batches for event in batch.events]


def test_the_same_seed_makes_the_same_faults():
    assert deliveries(EVENTS, 3) == deliveries(EVENTS, 3)
    assert deliveries(EVENTS, 3) != deliveries(EVENTS, 4)


def test_everything_is_delivered_some_of_it_again_some_of_it_later():
    now, later = deliveries(EVENTS, 3)
    counts = Counter(identities(now) + identities(later))
    assert set(counts) == {event["id"] for event in EVENTS}
    assert 20 < len(identities(later)) < 120
    assert not set(identities(now)) & set(identities(later))
    assert sum(count > 1 for count in counts.values()) > 50
    assert identities(now) != sorted(identities(now), key=lambda identity: int(identity.removeprefix("event-")))
    batches = [*now, *later]
    assert len({batch.id for batch in batches}) == len(batches)
    assert {1, 100} >= {min(len(batch.events) for batch in batches)}
    assert max(len(batch.events) for batch in batches) <= 100


def test_without_faults_everything_is_delivered_once_in_order():
    now, later = deliveries(EVENTS, 3, Faults(late=0, repeated=0, overtaken=0, shuffled=0))
    assert identities(now) == [event["id"] for event in EVENTS]
    assert later == []


def test_what_is_held_back_comes_when_its_time_has_come():
    courier = Courier(3, Faults(late=1, repeated=0))
    assert courier.pack(EVENTS[:50], Millis(0)) == []
    assert courier.pack([], Millis(MINUTE - 1)) == []
    some = courier.pack([], Millis(4 * MINUTE))
    rest = courier.rest()
    assert some
    assert rest
    assert all(4 * MINUTE < at <= 8 * MINUTE for at, _ in rest)
    assert Counter(identities(some) + identities([batch for _, batch in rest])) == Counter(
        identities([Batch("", tuple(EVENTS[:50]))])
    )
    assert courier.rest() == []


def test_a_single_event_is_sent_as_itself_and_several_as_an_array():
    assert json.loads(Batch("m", tuple(EVENTS[:1])).body) == EVENTS[0]
    assert json.loads(BATCH.body) == EVENTS[:2]


def test_a_signature_is_one_that_the_library_accepts():
    headers = sign(SECRET, BATCH, Millis(time.time_ns() // 1_000_000))
    assert Webhook(SECRET).verify(BATCH.body, headers) == EVENTS[:2]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(2)).verify(BATCH.body, headers)


class Receiver:
    """Answers with what it was told to, one after another; an error is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(answer, text="no")


async def deliver(receiver, pauses=(0, 0, 0)):
    async with httpx.AsyncClient(transport=httpx.MockTransport(receiver)) as client:
        await post(client, URL, SECRET, BATCH, pauses)


async def test_a_delivery_is_made_once_if_it_is_acknowledged():
    receiver = Receiver(202)
    await deliver(receiver)
    (request,) = receiver.requests
    assert Webhook(SECRET).verify(request.content, dict(request.headers)) == EVENTS[:2]
    assert request.headers["content-type"] == "application/json"


async def test_it_is_tried_again_under_the_same_id_while_the_receiver_is_away():
    receiver = Receiver(503, httpx.ConnectError("refused"), httpx.Response(429, headers={"retry-after": "0"}), 202)
    await deliver(receiver)
    assert [request.headers["webhook-id"] for request in receiver.requests] == ["msg_1"] * 4


async def test_it_is_given_up_after_the_last_attempt(monkeypatch):
    monkeypatch.setattr("streams.local.deliveries.LONGEST_PAUSE_S", 0.0)
    with pytest.raises(Retry, match="not acknowledged in 3 attempts: ReadTimeout") as caught:
        await deliver(Receiver(500, httpx.Response(503, headers={"retry-after": "99"}), httpx.ReadTimeout("")), (0, 0))
    assert "token" not in str(caught.value)


async def test_a_refusal_is_not_tried_again():
    receiver = Receiver(401)
    with pytest.raises(Fatal, match="answered with 401: no") as caught:
        await deliver(receiver)
    assert len(receiver.requests) == 1
    assert "token" not in str(caught.value)
