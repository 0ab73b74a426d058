"""`leadbeat table`: any table of Redis, unpacked, for people and for programs."""

import sys
from typing import NamedTuple

from rich.console import Console

from streams.config import Settings
from streams.inspection.asking import TABLES, asked
from streams.inspection.printing import USUAL_LIMIT, print_table, write_json
from streams.inspection.reading import Place, read
from streams.tables import connect_to
from streams.tables.rules import in_force, read_rules


class Question(NamedTuple):
    """What is asked for: a table, of one partition or all; so many rows (None: the usual number, 0: all); as JSON or not."""

    name: str
    partition: int | None = None
    limit: int | None = None
    as_json: bool = False


async def show(settings: Settings, question: Question, console: Console) -> None:
    """Print a table. Raises Fatal for what is not there, Retry while Redis cannot be asked."""
    found = asked(question.name, settings.redis.prefix)
    if question.partition is not None:
        found = found._replace(partition=question.partition)
    async with connect_to(settings.redis) as redis:
        rows = read(Place(redis, settings.redis.prefix, settings.kafka.partitions), found)
        if question.as_json:
            await write_json(sys.stdout, rows, question.limit or 0)
        else:
            limit = USUAL_LIMIT if question.limit is None else question.limit
            zone = in_force(settings.rules(), await read_rules(redis, settings.redis.prefix)).zone
            await print_table(console, rows, zone, limit)


def list_tables(console: Console) -> None:
    """Print which tables there are."""
    widest = max(map(len, TABLES))
    for name, text in TABLES.items():
        console.print(f"{name:<{widest}}  {text}", highlight=False, markup=False)
