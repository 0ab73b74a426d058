"""The servers that other tests rely on do what they are relied on for."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic
from browsing import browsing, opened
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from services import until, until_sync


async def test_kafka_gives_back_what_was_written_to_it(kafka, admin, topic_prefix):
    topic = f"{topic_prefix}records"
    await admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"value", key=b"key", partition=2, headers=[("name", b"header")])
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap, group_id=f"{topic_prefix}group", auto_offset_reset="earliest"
    )
    async with consumer:
        record = await consumer.getone()
    assert (record.partition, record.key, record.value, record.headers) == (2, b"key", b"value", (("name", b"header"),))


async def test_kafka_makes_no_topic_unasked(admin, topic_prefix):
    (topic,) = await admin.describe_topics([f"{topic_prefix}absent"])
    assert topic["error_code"] == 3  # unknown topic or partition


def test_redis_answers_and_never_evicts(redis_server):
    with Redis.from_url(redis_server.url) as client:
        assert client.ping()
        assert client.dbsize() == 0
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.set("left", "behind")


def test_redis_is_empty_for_each_test(redis_server):
    with Redis.from_url(redis_server.url) as client:
        assert client.dbsize() == 0


def test_an_append_only_redis_keeps_what_it_has_answered_through_a_crash(redis_factory):
    redis = redis_factory(append_only=True)
    with Redis.from_url(redis.url) as client:
        client.set("lead", "waits")
        redis.server.kill()
        with pytest.raises(RedisConnectionError):
            client.get("lead")
        redis.server.start()
        assert client.get("lead") == b"waits"


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"leads_waiting 42\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def metrics_address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_prometheus_scrapes_and_answers(prometheus, metrics_address):
    job = {"job_name": "leads", "scrape_interval": "200ms", "scrape_timeout": "200ms"}
    server = prometheus({"scrape_configs": [{**job, "static_configs": [{"targets": [metrics_address]}]}]})
    (sample,) = until_sync(lambda: server.query("leads_waiting"), 20, "Prometheus has scraped once")
    assert sample["metric"]["job"] == "leads"
    assert sample["value"][1] == "42"


async def test_chromium_shows_a_page_and_complains_of_what_is_wrong_with_it(chromium, metrics_address):
    async with browsing(chromium) as browser, opened(browser, f"http://{metrics_address}/", ready=False) as seen:
        assert (await seen.text("body")).strip() == "leads_waiting 42"
        assert seen.complaints == []
        await seen.page.evaluate("console.error('that is wrong')")
        await until(lambda: seen.complaints == ["that is wrong"], 10, "the complaint")


async def test_until_takes_plain_and_async_conditions():
    async def ready() -> str:
        return "now"

    assert await until(ready, 1, "an async condition") == "now"
    assert await until(lambda: 7, 1, "a plain condition") == 7


async def test_until_says_what_did_not_come():
    with pytest.raises(AssertionError, match="the cows come home"):
        await until(lambda: False, 0.05, "the cows come home")
    with pytest.raises(AssertionError, match="the cows come home"):
        until_sync(lambda: False, 0.05, "the cows come home")
