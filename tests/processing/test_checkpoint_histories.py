"""Owners come and go, answers get lost, Redis loses its last writes: what is stored is always whole and counted once."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from redis_versions import Running, newest, running_redis
from stored import restore, snapshot

from streams.processing.checkpoint import Outcome, claim_partition, commit
from streams.processing.cut import Checkpoint, Writes, cut_checkpoint
from streams.tables import (
    Applied,
    Keys,
    Outgoing,
    Progress,
    connect,
    read_applied,
    read_due,
    read_outbox,
    read_states,
    read_totals,
)

pytestmark = pytest.mark.redis

T = TypeVar("T")
OWNERS = st.sampled_from(["anna", "ben", "cleo"])
KEYS = Keys("lb", 0)


@dataclass
class Owner:
    """A worker that believes it holds the partition: it counts its checkpoints in everything that it writes."""

    held: Applied
    count: int
    unanswered: Checkpoint[Applied] | None = None

    def cut(self) -> Checkpoint[Applied]:
        number = self.count + 1
        writes = Writes(
            states={"crm:1": b"%d" % number},
            levels={0: b"%d" % number},
            due={"crm:1": number},
            series=[f"s{number}"],
            known_series=self.count,
            outgoing=[Outgoing(f"a{number}", "alerts", None, b"")],
        )
        return cut_checkpoint(KEYS, self.held, writes, Progress(offset=number))


class Histories(RuleBasedStateMachine):
    """Any order of claims, checkpoints, lost answers and lost writes."""

    running: Running

    @initialize()
    def empty(self) -> None:
        self.loop = asyncio.Runner()
        self.redis = connect(self.running.url)
        self.run(self.redis.flushall())
        self.owners: dict[str, Owner] = {}
        self.holder: str | None = None
        self.copy: tuple[dict[bytes, bytes], str | None] = ({}, None)
        self.tokens = 0

    def run(self, what: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await what

        return self.loop.run(awaited())

    @rule(name=OWNERS)
    def claim(self, name: str) -> None:
        self.tokens += 1
        held = self.run(claim_partition(self.redis, KEYS, 1, f"{name} {self.tokens}"))
        self.owners[name] = Owner(held, held.progress.offset or 0)
        self.holder = held.token

    @rule(name=OWNERS, lost=st.booleans())
    def checkpoint(self, name: str, lost: bool) -> None:
        if not (owner := self.owners.get(name)):
            return
        checkpoint = owner.unanswered or owner.cut()
        answer = self.run(commit(self.redis, checkpoint))
        if answer.outcome == Outcome.OK:
            assert owner.held.token == self.holder
        if lost:
            owner.unanswered = checkpoint
        elif answer.written:
            self.owners[name] = Owner(checkpoint.then, owner.count + 1)
        else:
            del self.owners[name]

    @rule()
    def copy_all(self) -> None:
        self.copy = self.run(snapshot(self.redis)), self.holder

    @rule()
    @precondition(lambda self: self.copy[0])
    def lose_the_last_writes(self) -> None:
        copy, self.holder = self.copy
        self.run(restore(self.redis, copy))

    @invariant()
    def everything_tells_the_same_count(self) -> None:
        (applied,) = self.run(read_applied(self.redis, [KEYS]))
        if applied is None:
            return
        count = applied.progress.offset or 0
        totals = self.run(read_totals(self.redis, KEYS))
        packed = b"%d" % count
        assert applied.seq == count
        assert self.run(read_states(self.redis, KEYS, ["crm:1"])) == ({"crm:1": packed} if count else {})
        due = self.run(read_due(self.redis, KEYS, 0, count))
        assert (totals.levels, due) == (({0: packed}, {"crm:1": count}) if count else ({}, {}))
        assert totals.series == [f"s{number}" for number in range(1, count + 1)]
        assert [message.id for _, message in self.run(read_outbox(self.redis, KEYS))] == [
            f"a{number}" for number in range(1, count + 1)
        ]

    def teardown(self) -> None:
        self.run(self.redis.aclose())
        self.loop.close()


def test_every_history_is_counted_once(started):
    Histories.running = running_redis(started, newest)
    run_state_machine_as_test(Histories, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))
