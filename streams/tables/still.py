"""All totals of a partition as of one instant, for whoever is not its owner and compares them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from models.state.lead import is_huge, joined
from streams.errors import Retry
from streams.tables.keys import Keys, Pane, bucket_of
from streams.tables.loading import Chunks, read_applied
from streams.tables.rows import Applied, OpenClock, Waiting, decode_applied, decode_clock, decode_waiting
from streams.tables.server import QUIETER, Redis, ask, reaching

_ATTEMPTS: Final = 20


class Still(NamedTuple):
    """A partition's record, and all that its generation holds as of that record, but for who is due.

    `series` has names by id, `open` instants in ms UTC, `members` how many each measure asked for has.
    """

    applied: Applied
    series: Mapping[int, str]
    windows: Mapping[str, Chunks]
    levels: Chunks
    oldest: Mapping[str, Waiting]
    open: Mapping[OpenClock, int]
    panes: Mapping[Pane, Chunks]
    members: Mapping[str, int]


async def read_still(redis: Redis, keys: Keys, measures: Sequence[str]) -> Still:
    """The totals of a partition in one transaction; `keys` of any generation. Raises Retry and Fatal.

    What there is to be read is asked first. If that, or the generation, is another one meanwhile, it is asked again.
    """
    for _ in range(_ATTEMPTS):
        (applied,) = await read_applied(redis, [keys])
        if applied is None:
            raise Retry(keys.applied, "nobody has claimed this partition yet", "start a worker")
        keys = keys.of(applied.progress.generation)
        with reaching(keys.applied):
            parts = await ask(redis, "SMEMBERS", keys.parts)
            still = await _read(redis, keys, sorted(part.decode() for part in parts), measures)
        if still is not None:
            return still
    raise Retry(keys.applied, "changes faster than it is read", QUIETER)


async def _read(redis: Redis, keys: Keys, parts: Sequence[str], measures: Sequence[str]) -> Still | None:
    windows = [part.removeprefix("window:") for part in parts if part.startswith("window:")]
    panes = [part for part in parts if part.startswith("pane:")]
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.smembers(keys.parts)
        pipeline.zrange(keys.open, 0, -1, withscores=True)
        for measure in measures:
            pipeline.zcard(keys.members(measure))
        for key in (keys.applied, keys.series, keys.level, keys.oldest):
            pipeline.hgetall(key)
        for part in (*(f"window:{name}" for name in windows), *panes):
            pipeline.hgetall(keys.part(part))
        answers = iter(await pipeline.execute())
    there = sorted(part.decode() for part in next(answers))
    waiting = {decode_clock(member): int(at) for member, at in next(answers)}
    members = {measure: int(next(answers)) for measure in measures}
    applied = decode_applied(next(answers), keys.applied)
    if applied.progress.generation != keys.generation or _summed(there) != _summed(parts):
        return None
    return Still(
        applied,
        {number: name.decode() for number, name in _numbered(next(answers)).items()},
        levels=_numbered(next(answers)),
        oldest={name.decode(): decode_waiting(packed) for name, packed in next(answers).items()},
        windows={name: _numbered(next(answers)) for name in windows},
        open=waiting,
        panes={_pane(part): _numbered(next(answers)) for part in panes},
        members=members,
    )


def _summed(parts: Sequence[str]) -> list[str]:
    """Those of a generation's parts that hold sums."""
    return [part for part in parts if part.startswith(("window:", "pane:"))]


def _numbered(fields: Mapping[bytes, Any]) -> dict[int, Any]:
    return {int(number): packed for number, packed in fields.items()}


def _pane(part: str) -> Pane:
    _, size, start = part.split(":")
    return Pane(size, int(start))


class Seen(NamedTuple):
    """Some leads as they are stored when a partition has applied so much; those that are not are left out."""

    applied: Applied
    states: Mapping[str, bytes]
    pages: Mapping[str, Sequence[bytes]]

    def whole(self) -> dict[str, bytes]:
        """The states, those of huge leads with what lies in their pages."""
        return {
            subject: joined(packed, self.pages[subject]) if is_huge(packed) else packed
            for subject, packed in self.states.items()
        }


async def read_some_states(redis: Redis, keys: Keys, subjects: Sequence[str]) -> Seen:
    """The states of some subjects, and the partition's record as of the same instant."""
    with reaching(keys.applied):
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(keys.applied)
            for subject in subjects:
                pipeline.hget(keys.state(bucket_of(subject)), subject)
                pipeline.hvals(keys.pages(subject))
            fields, *rest = await pipeline.execute()
    states = {subject: packed for subject, packed in zip(subjects, rest[::2], strict=True) if packed is not None}
    pages = dict(zip(subjects, rest[1::2], strict=True))
    return Seen(decode_applied(fields, keys.applied), states, pages)
