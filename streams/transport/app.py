"""A Faust application around one topic and one owner, and how it runs: until SIGTERM, or until it must end."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeAlias

import faust
import structlog
from faust.app.base import BootStrategy
from faust.serializers.codecs import Codec

from models.errors import LeadbeatError
from streams.config import KafkaSettings
from streams.errors import Fatal, Retry
from streams.security import Security, kafka_security
from streams.transport.batch import PartitionOwner
from streams.transport.consumer import BatchConsumer, BatchTransport
from streams.transport.watchdog import EXIT_CODE, Asked, Behind, Check, Lasting, Unanswered, Watchdog

log = structlog.get_logger(__name__)

BATCH_RECORDS: Final = 5_000
"""At most so many records in a batch: how long one may keep the event loop."""

BUFFERED_BATCHES: Final = 4
"""Batches that wait for the owner; then fetching waits."""

REBALANCE_S: Final = 30.0
ANSWER_S: Final = 10.0
"""How long a broker may take for an answer beyond the time for which it holds a request to join until all others ask, too.

A connection that is half open shows in nothing else: Faust's 90 s would be how long its owner takes itself for a member.
"""
HEARTBEAT_S: Final = 3.0
NEVER_S: Final = 1e6
STOP_LIMIT_S: Final = 15.0
CANCEL_AGAIN_S: Final = 1.0
LATE_LIMIT_S: Final = 30.0
STUCK_LIMIT_S: Final = 60.0

Background: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class _Untouched(Codec):
    """Leaves batches as they are: the owner decodes."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


class _ConsumerOnly(BootStrategy):
    """No producer (each stage has an idempotent one of its own), no web server."""

    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):
    BootStrategy = _ConsumerOnly

    def _create_directories(self) -> None:
        """Make none: they are for tables, which we do not use, and the file system may be read-only."""


def make_app(group: str, topic: str, kafka: KafkaSettings, owner: PartitionOwner) -> Any:
    """A Faust app that feeds the batches of a topic to an owner, as a member of a consumer group.

    Its settings keep Faust from doing more than that: no declared topics, leaders, replies, tables, web, acknowledgements.
    Offsets out of range are an error and not a jump (`auto_offset_reset`), and aiokafka's own limit on idle members, which
    they do not come back from, is out of reach (the watchdog has a better one).
    """
    brokers = [broker.strip() for broker in kafka.bootstrap.split(",")]
    app = _App(
        group,
        broker=";".join(f"kafka://{broker}" for broker in brokers),
        broker_credentials=_credentials(kafka_security(kafka)),
        autodiscover=False,
        store="memory://",
        cache="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        reply_create_topic=False,
        consumer_auto_offset_reset="none",
        broker_max_poll_interval=NEVER_S,
        broker_max_poll_records=BATCH_RECORDS,
        broker_session_timeout=float(kafka.session_timeout_s),
        broker_heartbeat_interval=min(HEARTBEAT_S, kafka.session_timeout_s / 5),
        broker_rebalance_timeout=REBALANCE_S,
        broker_request_timeout=max(REBALANCE_S, kafka.session_timeout_s) + ANSWER_S,
        broker_commit_interval=NEVER_S,
        stream_recovery_delay=0.0,
        stream_buffer_maxsize=BUFFERED_BATCHES,
    )
    app.transport = BatchTransport(app.conf.broker_consumer, app, owner)
    source = app.topic(topic, acks=False, key_serializer="raw", value_serializer=_Untouched())

    async def feed(stream: Any) -> None:
        async for batch in stream:
            await app.consumer.deliver(batch)

    app.agent(source, name="feed")(feed)
    return app


def _credentials(security: Security) -> Any:
    """How brokers are to be approached, as Faust has it."""
    match security["security_protocol"]:
        case "PLAINTEXT":
            return None
        case "SSL":
            return faust.SSLCredentials(security["ssl_context"])
    return faust.SASLCredentials(
        username=security["sasl_plain_username"],
        password=security["sasl_plain_password"],
        ssl_context=security.get("ssl_context"),
        mechanism=security["sasl_mechanism"],
    )


async def serve(
    app: Any,
    *,
    background: Iterable[Background] = (),
    checks: Iterable[Check] = (),
    unready: Callable[[], None] = lambda: None,
    stopping: asyncio.Event | None = None,
) -> None:
    """Run an app of `make_app`, its watchdog and what runs beside it, until `stopping` (else SIGTERM or SIGINT), then stop it.

    When it had to end by itself, it has been stopped as well, and what it ended with is raised: Fatal, or Retry for what nobody
    has foreseen, as a new process may fare better. A process that does not stop within 15 s is ended on the spot.
    """
    consumer: BatchConsumer = app.consumer
    watchdog = _watchdog(app, consumer, checks, unready)
    watchdog.start()
    with _told_to_stop(stopping) as told:
        works: list[Background] = [partial(_lifetime, app), *background]
        tasks = [asyncio.create_task(_endless(work), name=f"{work}") for work in works]
        try:
            ends: list[asyncio.Future[Any]] = [*tasks, consumer.failure, told]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            error = _reason(consumer, tasks)
            unready()
            await _stop(app, tasks)
            watchdog.stop()
    if error is not None:
        raise error


async def _lifetime(app: Any) -> None:
    """Start an app, which lasts until it has partitions for the first time, and wait until it ends by itself."""
    await app.start()
    await app.wait_until_stopped()
    if app.crash_reason is not None:
        raise app.crash_reason


async def _endless(work: Background) -> None:
    """Run what should never end."""
    await work()
    raise Fatal(f"{work}", "ended by itself", "this is a fault of Leadbeat's: report it, with the log before this")


def _reason(consumer: BatchConsumer, tasks: Iterable[asyncio.Task[None]]) -> BaseException | None:
    """Why the app had to end by itself, if it had to."""
    failed = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    error = consumer.failure.result() if consumer.failure.done() else next(iter(failed), None)
    if error is None or isinstance(error, LeadbeatError):
        return error
    unforeseen = Retry(str(consumer.app.conf.id), f"ended with {error!r}", "start it again; the log before this says more")
    unforeseen.__cause__ = error
    return unforeseen


async def _stop(app: Any, tasks: Iterable[asyncio.Task[None]]) -> None:
    lifetime, *background = tasks
    try:
        async with asyncio.timeout(STOP_LIMIT_S):
            await _cancel(background)
            await app.stop()
            lifetime.cancel()
            await asyncio.wait([lifetime])
    except TimeoutError:
        # Faust's thread is not a daemon: the interpreter would wait for it.
        log.critical("stop_timed_out", limit_s=STOP_LIMIT_S)
        os._exit(EXIT_CODE)


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and again while some go on: a client may swallow being cancelled."""
    going = set(tasks)
    while going:
        for task in going:
            task.cancel()
        _, going = await asyncio.wait(going, timeout=CANCEL_AGAIN_S)


@contextmanager
def _told_to_stop(stopping: asyncio.Event | None) -> Iterator[asyncio.Task[Any]]:
    """What is done once somebody wants us to stop."""
    loop, event = asyncio.get_running_loop(), stopping or asyncio.Event()
    signals = () if stopping else (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, event.set)
    told = asyncio.create_task(event.wait())
    try:
        yield told
    finally:
        told.cancel()
        for number in signals:
            loop.remove_signal_handler(number)


def _watchdog(app: Any, consumer: BatchConsumer, checks: Iterable[Check], unready: Callable[[], None]) -> Watchdog:
    """Looks after the consumer, besides what the application wants looked after."""
    loop, thread = asyncio.get_running_loop(), consumer._thread
    rejoin_limit_s = app.conf.broker_rebalance_timeout + app.conf.broker_session_timeout
    pulse = Asked(thread.pulse, thread.thread_loop, LATE_LIMIT_S)
    ours: tuple[Check, ...] = (
        Unanswered("the event loop", loop, LATE_LIMIT_S),
        lambda awake: None if thread.should_stop else pulse(awake),  # its loop ends with it, and what we asked it last
        Lasting("not a member of the consumer group", rejoin_limit_s, lambda: consumer.started and not thread.is_member()),
        Behind(STUCK_LIMIT_S, consumer.positions),
    )
    return Watchdog((*ours, *checks), loop=loop, unready=unready, save=consumer.wait_empty)
