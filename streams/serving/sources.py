"""What everything that is served is read from."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from models.windows import NOW
from streams.config import Settings
from streams.serving.behind import LeadsReader, RedisLeads
from streams.serving.queue import QueueReader, RedisQueue
from streams.serving.table import RedisTable, Table
from streams.tables import Redis


class Sources(NamedTuple):
    """The KPI table, the same of one window (and the levels) only, which is cheaper to watch, the queue, who is behind KPIs."""

    table: Table
    window: Callable[[str], Table]
    queue: QueueReader
    leads: LeadsReader


def sources(redis: Redis, settings: Settings) -> Sources:
    """What stands in Redis."""
    prefix, partitions = settings.redis.prefix, settings.kafka.partitions

    @cache
    def window(name: str) -> Table:
        return RedisTable(redis, prefix, (name, NOW))

    leads = RedisLeads(redis, prefix, partitions, settings.rules())
    return Sources(RedisTable(redis, prefix), window, RedisQueue(redis, prefix, partitions), leads)
