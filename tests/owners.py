"""Owners of partitions for the transport's tests, and how they are run in the test's own process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.config import KafkaSettings
from streams.transport import TP, Control, LogEnds, Record, make_app, serve

SESSION_S = 6
"""As short as brokers allow."""


@dataclass
class Saved:
    """What outlives owners: per partition the next offset, and what was applied before that."""

    offsets: dict[TP, int] = field(default_factory=dict)
    values: dict[TP, list[bytes]] = field(default_factory=dict)
    told: list[tuple[str, str, Any]] = field(default_factory=list)
    """What happened, in order: (what, who, details)."""


class Remembering:
    """Keeps values in memory, and saves them with the offset when flushed, as a checkpoint does."""

    def __init__(self, saved: Saved | None = None, name: str = "a") -> None:
        self.saved, self.name = saved or Saved(), name
        self.control: Control
        self.memory: dict[TP, tuple[int, list[bytes]]] = {}
        self.batches: list[tuple[TP, int, int]] = []
        self.before_load: Callable[[TP, LogEnds], Any] = self.nothing
        self.before_apply: Callable[[TP, Sequence[Record]], Any] = self.nothing
        self.before_flush: Callable[[], Any] = self.nothing

    async def nothing(self, *_: Any) -> None:
        pass

    def attach(self, control: Control) -> None:
        self.control = control

    async def load(self, tp: TP, log: LogEnds) -> int:
        self.told("load", tp)
        await self.before_load(tp, log)
        offset = self.saved.offsets.get(tp, log.earliest)
        self.memory[tp] = (offset, list(self.saved.values.get(tp, [])))
        return offset

    async def apply(self, tp: TP, records: Sequence[Record]) -> None:
        await self.before_apply(tp, records)
        _, values = self.memory[tp]
        self.batches.append((tp, records[0].offset, len(records)))
        self.memory[tp] = (records[-1].offset + 1, [*values, *(record.value or b"" for record in records)])

    async def flush(self, tps: AbstractSet[TP]) -> None:
        self.told("flush", set(tps))
        await self.before_flush()
        for tp in tps:
            self.saved.offsets[tp], self.saved.values[tp] = self.memory[tp]

    def drop(self, tps: AbstractSet[TP]) -> None:
        self.told("drop", set(tps))
        for tp in tps:
            self.memory.pop(tp, None)

    def applied(self, tp: TP) -> int | None:
        return self.memory[tp][0] if tp in self.memory else None

    def told(self, what: str, details: Any) -> None:
        self.saved.told.append((what, self.name, details))

    def values(self, tp: TP) -> list[bytes]:
        return self.memory.get(tp, (0, []))[1]

    def count(self) -> int:
        return sum(len(values) for _, values in self.memory.values())

    def happened(self) -> list[str]:
        return [what for what, _, _ in self.saved.told]


@asynccontextmanager
async def serving(bootstrap: str, group: str, topic: str, owner: Any) -> AsyncIterator[asyncio.Task[None]]:
    """An owner at work, in this process, until the block ends; the task is what runs it."""
    kafka = KafkaSettings(bootstrap=bootstrap, session_timeout_s=SESSION_S)
    stopping = asyncio.Event()
    task = asyncio.create_task(serve(make_app(group, topic, kafka, owner), stopping=stopping))
    try:
        yield task
    finally:
        stopping.set()
        await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None:
        task.result()


@asynccontextmanager
async def producing(bootstrap: str) -> AsyncIterator[Any]:
    """A producer that sends what it has at once."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def append(producer: Any, tp: TP, values: Sequence[bytes]) -> None:
    """Append records to a partition, as one batch of the log."""
    batch = producer.create_batch()
    for value in values:
        assert batch.append(key=None, value=value, timestamp=None)
    batch.close()
    await (await producer.send_batch(batch, tp.topic, partition=tp.partition))


def numbers(first: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, end)]
