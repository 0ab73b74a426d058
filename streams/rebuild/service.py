"""Beginning anew: what the log still holds, what has to go from Redis, and from where the next workers read."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from models.units import SECOND
from streams.audit.log import EventsLog
from streams.config import Settings
from streams.errors import Fatal, Retry
from streams.processing.checkpoint import claim_partition, commit, new_token
from streams.processing.cut import Writes, cut_checkpoint
from streams.rulebook.standing import partitions_of, standing
from streams.security import kafka_security
from streams.tables import Keys, Progress, Redis, check_server, connect_to, read_applied
from streams.tables.emptying import empty
from streams.topics import Topics


class Beginning(NamedTuple):
    """Where a partition begins anew: its first record, when that was written (ms UTC; None without one), how many there are."""

    keys: Keys
    offset: int
    at: int | None
    records: int

    def __str__(self) -> str:
        since = "" if self.at is None else f" since {datetime.fromtimestamp(self.at / SECOND, UTC):%Y-%m-%d %H:%M} UTC"
        whole = "the whole log" if self.offset == 0 else f"from offset {self.offset} on: what came before is lost"
        return f"partition {self.keys.partition}: {self.records:,} records{since}, {whole}"


async def rebuild(settings: Settings, tell: Callable[[str], None], *, discard: bool, yes: bool) -> bool:
    """Say what would be done and, given a `yes`, do it; whether it was done. Raises Retry, after which it may be said again.

    Raises Fatal while workers run, or if numbers are there and are not to be discarded.
    """
    async with connect_to(settings.redis) as redis:
        await check_server(redis, settings.redis.prefix)
        hashed_with = await _may_begin(redis, settings, discard=discard)
        beginnings = [await _beginning(settings, keys) for keys in partitions_of(settings)]
        for each in beginnings:
            tell(str(each))
        if not yes:
            tell("Nothing was changed; --yes does it.")
            return False
        gone = await empty(redis, settings.redis.prefix, [each.keys for each in beginnings])
        for each in beginnings:
            await _begin(redis, settings, each, hashed_with)
    tell(f"{gone:,} keys were deleted. Start the workers: they count from there, and numbers are stale until they are through.")
    return True


async def _may_begin(redis: Redis, settings: Settings, *, discard: bool) -> str:
    """The name of the key that ids are hashed with, if any are. Raises Fatal if workers run, or numbers would be lost."""
    now = await standing(redis, settings)
    if now.workers:
        todo = "stop all of them; one that was killed counts for ten more seconds"
        raise Fatal("rebuild", f"workers run: {now.workers}", todo)
    stored = [applied for applied in await read_applied(redis, partitions_of(settings)) if applied is not None]
    counted = [applied for applied in stored if applied.progress.offset is not None]
    if counted and not discard:
        what = f"Redis holds the numbers of {len(counted)} of {settings.kafka.partitions} partitions"
        raise Fatal("rebuild", what, "to have them deleted, say --discard")
    return next((applied.progress.hashed_with for applied in stored if applied.progress.hashed_with), "")


async def _beginning(settings: Settings, keys: Keys) -> Beginning:
    topic = Topics(settings.kafka.topic_prefix).events
    log = EventsLog(settings.kafka.bootstrap, topic, keys.partition, kafka_security(settings.kafka))
    await log.look()
    at = None
    async for records in log.read(log.earliest, min(log.earliest + 1, log.end), ""):
        at = records[0].timestamp
    return Beginning(keys, log.earliest, at, log.end - log.earliest)


async def _begin(redis: Redis, settings: Settings, beginning: Beginning, hashed_with: str) -> None:
    """Store where the next owner reads from, with nothing known."""
    keys = beginning.keys
    held = await claim_partition(redis, keys, settings.kafka.partitions, new_token())
    progress = Progress(offset=beginning.offset, hashed_with=hashed_with)
    answer = await commit(redis, cut_checkpoint(keys, held, Writes(), progress))
    if not answer.written:
        raise Retry(keys.applied, f"somebody else writes: {answer.reason}", "stop all workers, and say it again")
