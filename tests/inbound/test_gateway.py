import asyncio
import base64
import hmac
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from models.units import MINUTE, SECOND, Millis
from streams.config import Settings
from streams.errors import Retry
from streams.inbound import bodies, gateway
from streams.inbound.normalise import Delivery
from streams.inbound.providers import PROVIDERS, Unauthentic, standard
from streams.inbound.providers.close import provider
from streams.inbound.providers.contract import Busy

TOKEN = "token_of_acme_0123456789"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_bm90IGEgc2VjcmV0LCBqdXN0IGFuIGV4YW1wbGU="
NOW = Millis(1_777_885_200_000)
BODY = b'{"any": "bytes"}'
LIMIT = 1000
CLOSE = {
    "name": "close",
    "provider": "close",
    "token": "token_of_close_0123456",
    "secrets": ["ab" * 32],
    "email_key": "cd" * 32,
}


class Topic:
    """Stands for Kafka: keeps what it acknowledges, and does so when told."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, list[tuple[str, bytes]]]] = []
        self.fault: Exception | None = None
        self.asked = asyncio.Event()
        self.acknowledges = asyncio.Event()
        self.acknowledges.set()
        self.is_ready = True

    async def append(self, value, headers):
        self.asked.set()
        await self.acknowledges.wait()
        if self.fault:
            raise self.fault
        self.records.append((value, headers))

    def unready(self):
        return None if self.is_ready else "Kafka is not there"


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate(
        {
            "gateway": {"body_limit": LIMIT, "acknowledge_timeout": "1s", "read_timeout": "1s"},
            "connections": [
                {"name": "acme", "token": TOKEN, "secrets": [SECRET, OLD_SECRET]},
                {"name": "other", "token": "token_of_another_crm", "secrets": [OLD_SECRET]},
                CLOSE,
            ],
        }
    )


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def topic() -> Topic:
    return Topic()


@pytest.fixture
async def client(settings, topic, registry) -> AsyncIterator[httpx.AsyncClient]:
    app = gateway.create(settings, topic, lambda: NOW, registry)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


def signed(body: bytes = BODY, secret: str = SECRET, at: int = NOW) -> dict[str, str]:
    timestamp = str(at // SECOND)
    signature = base64.b64encode(standard.sign("msg_1", timestamp, body, standard.key_of(secret))).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


SIGNED = signed()


async def post(client: httpx.AsyncClient, token: str = TOKEN, **request: object) -> httpx.Response:
    request.setdefault("content", BODY)
    request.setdefault("headers", SIGNED)
    return await client.post(f"/hooks/{token}", **request)


def refusals(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.labels["connection"], sample.labels["reason"]): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "leadbeat_deliveries_refused_total" and sample.value
    }


async def test_an_authentic_delivery_lies_in_the_topic_as_it_was_sent(client, topic, registry):
    answer = await post(client, headers=signed() | {"x-other": "dropped", "authorization": "dropped"})
    assert (answer.status_code, answer.json()) == (202, {"accepted": True})
    ((value, headers),) = topic.records
    assert Delivery.of_record(headers, value, "t", 0, 0) == Delivery("acme", NOW, {"webhook-id": "msg_1"}, BODY, "t")
    assert registry.get_sample_value("leadbeat_deliveries_accepted_total", {"connection": "acme"}) == 1
    assert registry.get_sample_value("leadbeat_delivery_seconds_count") == 1


async def test_counts_begin_at_zero_so_that_a_first_increase_can_be_seen(client, registry):
    assert registry.get_sample_value("leadbeat_deliveries_accepted_total", {"connection": "acme"}) == 0
    labels = {"connection": "acme", "reason": "unauthentic"}
    assert registry.get_sample_value("leadbeat_deliveries_refused_total", labels) == 0


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"[" * 500])
async def test_what_the_bytes_mean_is_not_the_gateways_business(client, topic, body):
    assert (await post(client, content=body, headers=signed(body))).status_code == 202
    assert topic.records[0][0] == body


async def test_success_is_answered_only_after_the_acknowledgement(client, topic):
    topic.acknowledges.clear()
    request = asyncio.create_task(post(client))
    await topic.asked.wait()
    assert not request.done()
    topic.acknowledges.set()
    assert (await request).status_code == 202
    assert len(topic.records) == 1


async def test_without_acknowledgement_in_time_the_sender_shall_try_again(client, topic, registry):
    topic.acknowledges.clear()
    answer = await post(client)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert topic.records == []
    assert refusals(registry) == {("acme", "not_acknowledged"): 1}


async def test_when_kafka_refuses_the_sender_shall_try_again(client, topic):
    topic.fault = Retry("Kafka", "is not there")
    answer = await post(client)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert "Kafka" not in answer.text
    topic.fault = None
    assert (await post(client)).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(BODY + b" "),
        signed(at=NOW - 5 * MINUTE - SECOND),
        signed(at=NOW + 5 * MINUTE + SECOND),
        signed() | {"webhook-id": "msg_2"},
        signed() | {"webhook-signature": "v1,\u00e9"},
    ],
)
async def test_what_is_not_authentic_is_turned_away_without_saying_why(client, topic, registry, headers):
    answer = await post(client, headers={name: value.encode() for name, value in headers.items()})
    assert (answer.status_code, answer.json()) == (401, {"error": "not authentic"})
    assert topic.records == []
    assert refusals(registry) == {("acme", "unauthentic"): 1}


async def test_an_older_secret_still_signs_but_another_connections_does_not(client, topic):
    assert (await post(client, headers=signed(secret=OLD_SECRET))).status_code == 202
    assert (await post(client, token="token_of_another_crm", headers=signed(secret=SECRET))).status_code == 401
    assert (await post(client, token="token_of_another_crm", headers=signed(secret=OLD_SECRET))).status_code == 202
    assert [dict(headers)["connection"] for _, headers in topic.records] == [b"acme", b"other"]


@pytest.mark.parametrize(
    "token", ["acme", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "%00", "%ff", "é", "%F0%9F%98%80", "x" * 5000]
)
async def test_a_token_that_nobody_has_is_not_found(client, topic, registry, token):
    answer = await post(client, token=token)
    assert (answer.status_code, answer.json()) == (404, {"error": "not found"})
    assert topic.records == []
    assert refusals(registry) == {("", "unknown_token"): 1}


@pytest.fixture
def work(monkeypatch) -> list[tuple[bytes, bytes]]:
    """What was done to tell whether a delivery is authentic: bodies that were digested, digests that were compared."""
    done: list[tuple[bytes, bytes]] = []
    sign, compare = standard.sign, hmac.compare_digest
    monkeypatch.setattr(standard, "sign", lambda *parts: done.append((b"sign", parts[2])) or sign(*parts))
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: done.append((b"compare", other)) or compare(one, other))
    return done


@pytest.mark.parametrize("signature", [{}, {"webhook-id": "msg 1"}, {"webhook-signature": "v2,x"}, {"webhook-timestamp": "1"}])
async def test_a_token_that_nobody_has_costs_as_much_work_as_a_wrong_signature(client, work, signature):
    """One connection has two secrets, the other one: that does not show either."""
    headers = signed(b"another body") | signature

    async def spent(token: str) -> tuple[int, list[tuple[bytes, bytes]]]:
        work.clear()
        status = (await post(client, token=token, headers=headers)).status_code
        return status, [(step, b"" if step == b"compare" else what) for step, what in work]

    of_nobody, of_acme, of_another = [await spent(token) for token in ("nobodys", TOKEN, "token_of_another_crm")]
    assert [status for status, _ in (of_nobody, of_acme, of_another)] == [404, 401, 401]
    assert of_nobody[1] == of_acme[1] == of_another[1]
    if not signature:
        assert [step for step, _ in of_nobody[1]].count(b"sign") == 2


async def test_a_token_that_nobody_has_is_tried_with_every_provider_in_use(settings, topic, registry, monkeypatch):
    tried = []

    class Other:
        KEPT_HEADERS = frozenset()
        BUSY = Busy(503, 10)

        @staticmethod
        def verify(headers, body, secrets, now):
            tried.append((body, len(secrets)))
            raise Unauthentic("x-signature", "does not match")

    monkeypatch.setitem(PROVIDERS, "other", Other)
    third = settings.connections[1].model_copy(
        update={"name": "third", "provider": "other", "token": SecretStr("token_of_a_third_crm")}
    )
    app = gateway.create(
        settings.model_copy(update={"connections": (*settings.connections, third)}), topic, lambda: NOW, registry
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        assert (await post(client, token="token_of_a_third_crm")).status_code == 401
        assert (await post(client, token="nobodys")).status_code == 404
    assert tried == [(BODY, 2), (BODY, 2)]


async def test_without_connections_nobody_comes_in(topic):
    app = gateway.create(Settings(), topic, lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        assert (await post(client)).status_code == 404


async def test_by_default_a_body_may_have_a_mebibyte_and_no_byte_more(settings, topic):
    usual = settings.model_copy(update={"gateway": Settings().gateway})
    app = gateway.create(usual, topic, lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        for length, status in ((2**20, 202), (2**20 + 1, 413)):
            body = b"x" * length
            assert (await post(client, content=body, headers=signed(body))).status_code == status


async def test_so_it_does_with_a_signature_of_close(client, monkeypatch):
    verified = []
    monkeypatch.setattr(provider, "sign", lambda *parts: verified.append(parts[1]) or "")
    headers = {"close-sig-hash": "0" * 64, "close-sig-timestamp": str(NOW // SECOND)}
    assert (await post(client, token="token_of_close_0123456", headers=headers)).status_code == 401
    of_close = list(verified)
    assert (await post(client, token="nobodys", headers=headers)).status_code == 404
    assert verified == of_close * 2 == [BODY] * 4


async def chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 100


async def test_a_body_within_the_limit_may_come_in_pieces(client):
    assert (await post(client, content=chunks(10), headers=signed(b"x" * LIMIT))).status_code == 202


async def test_a_body_that_says_it_is_too_large_is_refused(client, topic, registry):
    for length in (LIMIT + 1, "9" * 5000, "0" * 10 + "1001"):
        answer = await post(client, headers=signed() | {"content-length": str(length)})
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert topic.records == []
    assert refusals(registry) == {("acme", "too_large"): 3}


@pytest.mark.parametrize("unwanted", [{"content-length": str(LIMIT + 1)}, {"content-encoding": "gzip"}])
async def test_who_waits_for_our_word_is_refused_before_the_body(client, unwanted):
    async def unread() -> AsyncIterator[bytes]:
        pytest.fail("read")
        yield b""

    answer = await post(client, content=unread(), headers=signed() | unwanted | {"expect": "100-continue"})
    assert answer.status_code in {413, 415}


async def test_a_refused_body_is_taken_in_so_that_the_sender_gets_to_the_answer_but_not_for_ever(client, topic, monkeypatch):
    monkeypatch.setattr(bodies, "MOST_DISCARDED", 5 * LIMIT)
    read = 0

    async def sent(pieces: int) -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(pieces):
            read += 100
            yield b"x" * 100

    assert (await post(client, content=sent(30))).status_code == 413
    assert read == 3 * LIMIT
    assert (await post(client, content=sent(1_000_000))).status_code == 413
    assert read <= 8 * LIMIT + 200
    assert topic.records == []


async def test_a_refused_body_that_does_not_come_is_not_waited_for_in_vain(client):
    async def slow() -> AsyncIterator[bytes]:
        yield BODY
        await asyncio.Event().wait()

    assert (await post(client, content=slow(), headers=signed() | {"content-encoding": "br"})).status_code == 415


async def test_a_sender_that_goes_away_leaves_nothing_behind(settings, topic, registry):
    app = gateway.create(settings, topic, lambda: NOW, registry)
    came = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive():
        return next(came)

    async def send(_):
        pass

    headers = [(name.encode(), value.encode()) for name, value in signed(b"{").items()]
    scope = {"type": "http", "method": "POST", "path": f"/hooks/{TOKEN}", "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    assert topic.records == []
    assert refusals(registry) == {("acme", "disconnected"): 1}


@pytest.mark.parametrize("length", ["-1", "1e3", "x", "\u0661", ""])
async def test_a_length_that_is_no_number_is_refused(client, length):
    answer = await post(
        client, headers={name: value.encode() for name, value in (signed() | {"content-length": length}).items()}
    )
    assert answer.status_code == 400


async def test_a_body_that_takes_too_long_is_refused(client, topic, registry):
    async def slow() -> AsyncIterator[bytes]:
        yield BODY
        await asyncio.Event().wait()

    answer = await post(client, content=slow())
    assert (answer.status_code, topic.records) == (408, [])
    assert refusals(registry) == {("acme", "too_slow"): 1}


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "GZIP"])
async def test_an_encoded_body_is_refused(client, topic, encoding):
    answer = await post(client, headers=signed() | {"content-encoding": encoding})
    assert (answer.status_code, topic.records) == (415, [])


async def test_identity_is_no_encoding(client):
    assert (await post(client, headers=signed() | {"content-encoding": "Identity"})).status_code == 202


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_hooks_take_posts_only(client, method):
    assert (await client.request(method, f"/hooks/{TOKEN}")).status_code == 405


@pytest.mark.parametrize("path", [f"/hooks/{TOKEN}/", "/hooks", "/hooks/", f"/hooks//{TOKEN}", "/", "/livez/"])
async def test_nothing_is_ever_redirected(client, path):
    assert (await client.post(path, content=BODY, headers=signed())).status_code == 404


async def test_it_is_ready_when_kafka_is_and_alive_anyway(client, topic):
    topic.is_ready = False
    assert [(await client.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 503]
    topic.is_ready = True
    assert [(await client.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 200]


async def test_metrics_name_connections_and_show_no_secret(client):
    await post(client)
    await post(client, headers={})
    await post(client, token="nobodys_token")
    page = (await client.get("/metrics")).text
    assert 'leadbeat_deliveries_accepted_total{connection="acme"} 1.0' in page
    assert 'leadbeat_deliveries_refused_total{connection="acme",reason="unauthentic"} 1.0' in page
    assert not any(secret in page for secret in (TOKEN, SECRET, "nobodys_token"))
