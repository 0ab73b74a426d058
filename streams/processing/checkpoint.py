"""Writing to Redis: only who may, in one step, once.

A checkpoint is sent as the same bytes until its answer is definite, at most one at a time for an owner. An answer other than OK
or DUP means that what the owner remembers is not what is stored: it drops its memory whole and loads again, or leaves.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain, islice
from secrets import token_hex
from typing import Final, NamedTuple

from models.errors import LeadbeatError
from streams.errors import Fatal, Retry
from streams.processing.cut import Checkpoint, Held, Publishing, cut_removal
from streams.tables import Applied, Keys, KpiKeys, Redis
from streams.tables.rows import LAYOUT, decode_applied
from streams.tables.server import ask, differing, leave_idle_connections, load_script, reaching, run_script

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
_REMOVED_AT_ONCE: Final = 500


class Fenced(LeadbeatError):
    """Another owner has claimed what we were at: it must not be claimed again, but waited for until Kafka says whose it is."""


class Outcome(StrEnum):
    """What became of a checkpoint; all but OK and DUP have changed nothing."""

    OK = "OK"
    """Written now."""
    DUP = "DUP"
    """Written before: that answer was lost."""
    FENCED = "FENCED"
    """Another owner has claimed: leave, or wait for a new assignment; never claim again by oneself."""
    ROLLED_BACK = "ROLLED_BACK"
    """Redis has lost data (restart, failover): claim and load again."""
    REFUSED = "REFUSED"
    """It contradicts what is stored (a key of another type, series that do not join on): load again."""


class Answer(NamedTuple):
    """A definite answer, with the reason in words if nothing was written."""

    outcome: Outcome
    reason: str = ""

    @property
    def written(self) -> bool:
        """Whether the checkpoint is stored, now or since an earlier sending."""
        return self.outcome in {Outcome.OK, Outcome.DUP}


def new_token() -> str:
    """A token for a claim: nobody else has it, so a claim counter that was rolled back is still told apart."""
    return token_hex(16)


async def claim_partition(redis: Redis, keys: Keys, partitions: int, token: str) -> Applied:
    """Takes a partition: from now on checkpoints of others are refused. The same token again changes nothing.

    Raises Fatal, naming both, if another layout or another number of partitions is stored; Retry if Redis does not answer.
    """
    required = {"layout": LAYOUT, "partitions": str(partitions)}
    fields = await _claim(redis, keys.applied, token, required, {"seq": "0", "aside": "0", "generation": "1"})
    return decode_applied(fields, keys.applied)


async def claim_table(redis: Redis, keys: KpiKeys, token: str) -> Publishing:
    """Takes the KPI table, as `claim_partition` does a partition."""
    fields = await _claim(redis, keys.applied, token, {"layout": LAYOUT}, {"round": "0"})
    return Publishing(int(fields[b"claim"]), token, int(fields[b"round"]))


async def commit(redis: Redis, checkpoint: Checkpoint[Held]) -> Answer:
    """Sends a checkpoint once.

    Raises Retry, after which the same is to be sent again, if it is unknown what became of it, or if Redis takes no writes at
    present (it is full, read-only, cannot persist): then nothing was written.
    """
    with reaching(checkpoint.where):
        script = load_script("streams.processing", "checkpoint.lua")
        kind, reason = await run_script(redis, script, checkpoint.keys, checkpoint.args)
    if kind == b"HELD":
        raise await _held(redis, checkpoint.where, reason)
    return Answer(Outcome(kind.decode()), reason.decode())


async def commit_until_definite(
    redis: Redis, checkpoint: Checkpoint[Held], on_retry: Callable[[Retry], None] = lambda _: None
) -> Answer:
    """Sends a checkpoint until it is answered, with pauses up to a second; `on_retry` is told of each attempt that was not.

    Cancelled, it leaves open whether the checkpoint is stored: the owner loads again before it writes again.
    """
    pause = _FIRST_PAUSE_S
    while True:
        try:
            return await commit(redis, checkpoint)
        except Retry as fault:
            on_retry(fault)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


async def plan_removal(redis: Redis, keys: Keys, held: Applied) -> list[Checkpoint[Applied]]:
    """The checkpoints that delete what is left of a generation that nobody reads, to be committed in turn; none if nothing is.

    The list of its parts goes last: removal that was broken off is found and finished by the next owner.
    """
    ends = [keys.level, keys.oldest, keys.changed, keys.series, keys.due, keys.open, keys.parts]
    with reaching(keys.applied):
        if not await ask(redis, "EXISTS", *ends):
            return []
        parts = sorted(part.decode() for part in await ask(redis, "SMEMBERS", keys.parts))
    plan: list[Checkpoint[Applied]] = []
    for group in [*_batched(parts, _REMOVED_AT_ONCE), []]:
        removal = (
            cut_removal(keys, held, [keys.part(part) for part in group], group) if group else cut_removal(keys, held, ends)
        )
        plan.append(removal)
        held = removal.then
    return plan


async def _claim(
    redis: Redis, key: str, token: str, required: Mapping[str, str], initial: Mapping[str, str]
) -> dict[bytes, bytes]:
    args = [token]
    for fields in (required, initial):
        args += [str(2 * len(fields)), *chain.from_iterable(fields.items())]
    with reaching(key):
        kind, *rest = await run_script(redis, load_script("streams.processing", "claim.lua"), [key], args)
    if kind == b"HELD":
        raise await _held(redis, key, rest[0])
    if kind == b"DIFFERS":
        raise differing(key, *(part.decode() for part in rest))
    if kind == b"REFUSED":
        raise Fatal(key, rest[0].decode(), "find out who else writes under this prefix")
    return dict(zip(rest[0][::2], rest[0][1::2], strict=True))


async def _held(redis: Redis, where: str, reason: bytes) -> Retry:
    await leave_idle_connections(redis)  # others may lead to a new master
    return Retry(where, f"Redis takes no writes: {reason.decode()}", "make room or repair it; the same is sent again")


def _batched(parts: Sequence[str], size: int) -> Iterator[list[str]]:
    rest = iter(parts)
    while group := list(islice(rest, size)):
        yield group
