"""What everything that is served is read from."""

from typing import NamedTuple

from streams.config import Settings
from streams.serving.behind import LeadsReader, RedisLeads
from streams.serving.queue import QueueReader, RedisQueue
from streams.serving.table import RedisTable, Table
from streams.tables import Redis


class Sources(NamedTuple):
    """The KPI table, the queue, and who is behind KPIs."""

    table: Table
    queue: QueueReader
    leads: LeadsReader


def sources(redis: Redis, settings: Settings) -> Sources:
    """What stands in Redis."""
    prefix, partitions = settings.redis.prefix, settings.kafka.partitions
    leads = RedisLeads(redis, prefix, partitions, settings.rules())
    return Sources(RedisTable(redis, prefix), RedisQueue(redis, prefix, partitions), leads)
