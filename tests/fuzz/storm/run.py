"""A storm: bad requests of all kinds for a gateway, beside a sender who means it well; and whether all held."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Final

from children import Service
from fuzz.storm import malformed, proven, unproven
from fuzz.storm.request import LEGITIMATE, LEGITIMATE_TOKEN, TOO_MANY, Bad, Kind
from fuzz.storm.wire import Answer, Line, connected
from histories import call
from services import until
from system import System

from benchmarks.process import Process
from models.units import MINUTE
from streams.local.deliveries import Batch, post, secret_of, wall

KINDS: Final[dict[str, Kind]] = {**unproven.KINDS, **malformed.KINDS, **proven.KINDS}
ALL_KINDS: Final[dict[str, Kind]] = {**KINDS, **malformed.SLOW}

SENDERS: Final = 48
"""Connections from which bad requests come at once."""

SLOW_AT_ONCE: Final = 30
SHARE_OF_SLOW: Final = 0.001
LEGITIMATE_SECRET: Final = secret_of(7)
A_BATCH: Final = 10
SOME: Final = 20
"""Of a kind, before memory is measured: what all of them need once is no growth."""

AT_ONCE: Final = 100_000
BAD_FOR_A_GOOD: Final = 50

HEAVY: Final = ("too_large", "too_large_in_pieces", "bomb", "header_huge", "header_flood", "path_very_long")
"""Kinds of which each takes a megabyte or so."""

MOST_GROWTH_MB: Final = 64
MOST_DESCRIPTORS: Final = 10
QUIET_S: Final = 240
UNAVAILABLE: Final = 503


@dataclass
class Seen:
    """What came of it: answers by status (0: none), what was unlike what may be, and what was sent that is proven.

    `dead` is how many dead letters each proven body becomes, `sent` and `acknowledged` how often it was.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    accepted_unsigned: int = 0
    dead: dict[bytes, int] = field(default_factory=dict)
    sent: Counter[bytes] = field(default_factory=Counter)
    acknowledged: Counter[bytes] = field(default_factory=Counter)
    legitimate: set[str] = field(default_factory=set)

    def take(self, name: str, bad: Bad, answers: list[Answer]) -> None:
        """Count a request's answers, and see whether they are as they may be."""
        statuses = [answer.status for answer in answers]
        self.kinds[name] += 1
        self.requests += bad.requests
        self.statuses.update(statuses or [0])
        for body, dead in bad.authentic:
            self.dead[digest(body)] = dead
            self.sent[digest(body)] += 1
        accepted = statuses.count(proven.ACCEPTED)
        for body, _ in bad.authentic[:accepted]:
            self.acknowledged[digest(body)] += 1
        self.accepted_unsigned += max(0, accepted - len(bad.authentic))
        for answer in answers:
            if answer.status not in bad.answers and not _is_for_later(answer):
                self.faults[f"{name}: {answer.status}"] += 1
        if len(answers) < bad.conversation.answers and not bad.silent:
            self.faults[f"{name}: {len(answers)} of {bad.conversation.answers} answers"] += 1


def _is_for_later(answer: Answer) -> bool:
    """Whether a sender is told to come again: that may be said to anybody."""
    return answer.status in {TOO_MANY, UNAVAILABLE} and answer.retry_after


def digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


@dataclass(frozen=True)
class Held:
    """What a process holds of the machine."""

    megabytes: int
    descriptors: int

    @classmethod
    def of(cls, service: Service) -> "Held":
        """What it holds now."""
        measured = Process(service.process)
        return cls(round(measured.resident_mib()), measured.descriptors())


async def storm(system: System, gateway: Service, requests: int, seed: int) -> tuple[Seen, Held, Held]:
    """Have it, until so many requests were made: what was seen, what the gateway held after some of each kind, and at last."""
    seen, rng, over = Seen(), Random(seed), asyncio.Event()
    legitimate = asyncio.create_task(send_legitimate(system, seen, over))
    try:
        await send_all(system, plan(rng, SOME * len(ALL_KINDS)), seen)
        before = Held.of(gateway)
        while seen.requests < requests:
            await send_all(system, plan(rng, min(AT_ONCE, requests - seen.requests)), seen)
    finally:
        over.set()
    await legitimate
    few = before.descriptors + MOST_DESCRIPTORS
    await system.until(lambda: Held.of(gateway).descriptors <= few, QUIET_S, "the gateway has closed its connections")
    return seen, before, Held.of(gateway)


def plan(rng: Random, count: int) -> Iterator[tuple[str, Bad]]:
    """Bad requests in any order, but one of each kind first; those that cost us much seldom, and the slow ones more so."""
    yield from ((name, kind(rng)) for name, kind in ALL_KINDS.items())
    usual = [name for name in KINDS for _ in range(1 if name in HEAVY else 10)]
    for _ in range(count - len(ALL_KINDS)):
        name = rng.choice(list(malformed.SLOW) if rng.random() < SHARE_OF_SLOW else usual)
        yield name, ALL_KINDS[name](rng)


async def send_all(system: System, bad: Iterator[tuple[str, Bad]], seen: Seen) -> None:
    """Send them, from many connections at once."""
    slow = asyncio.Semaphore(SLOW_AT_ONCE)
    async with asyncio.TaskGroup() as group:

        async def alone(name: str, each: Bad) -> None:
            async with connected(system.gateway_port) as line:
                seen.take(name, each, await line.talk(each.conversation))

        async def dawdle(name: str, each: Bad) -> None:
            async with slow:
                await alone(name, each)

        async def send() -> None:
            async with AsyncExitStack() as stack:
                line: Line | None = None
                for name, each in bad:
                    if name in malformed.SLOW:
                        group.create_task(dawdle(name, each))
                    elif not each.shared:
                        await alone(name, each)
                    else:
                        if line is None or not line.is_fresh:
                            line = await stack.enter_async_context(connected(system.gateway_port))
                        seen.take(name, each, await line.talk(each.conversation))

        for _ in range(SENDERS):
            group.create_task(send())


async def send_legitimate(system: System, seen: Seen, over: asyncio.Event) -> None:
    """Events, a delivery for so many bad requests, each tried until it is acknowledged."""
    hook = f"http://127.0.0.1:{system.gateway_port}/hooks/{LEGITIMATE_TOKEN}"
    number = 0
    while not over.is_set():
        batch = [call(f"c{number}", wall() - MINUTE, f"good-{number}-{each}") for each in range(A_BATCH)]
        await post(system.client, hook, LEGITIMATE_SECRET, Batch(f"msg_good_{number}", tuple(batch)))
        seen.legitimate |= {event["subject"]["id"] for event in batch}
        number += 1
        due = number * BAD_FOR_A_GOOD
        await until(lambda due=due: over.is_set() or seen.requests >= due, QUIET_S, "the storm goes on")


RULES: Final = f"""
[[connections]]
name = "{LEGITIMATE}"
token = "{LEGITIMATE_TOKEN}"
secrets = ["{LEGITIMATE_SECRET}"]
"""
"""A second connection, beside that which a system has."""


async def start(system: System) -> Service:
    """Start the gateway, and the normaliser behind it."""
    config = system.configure()
    gateway = system.start("gateway", config)
    system.start("normaliser", config)
    await system.accepting()
    return gateway


def faults_of(gateway: Service, before: Held, after: Held) -> Iterator[str]:
    """What is wrong with the gateway after a storm."""
    if gateway.process.poll() is not None:
        yield f"the gateway has ended with {gateway.process.returncode}"
    if "Traceback" in gateway.text():
        yield f"the gateway says: {gateway.text().partition('Traceback')[2][:2000]}"
    if after.megabytes > before.megabytes + MOST_GROWTH_MB:
        yield f"the gateway has grown by over {MOST_GROWTH_MB} MiB"
