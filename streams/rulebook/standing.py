"""Where a change of rules starts from: what is in force, under which version, and who works by it. And putting one in force."""

import asyncio
import getpass
import socket
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec import structs

from models.rules import Rules
from models.units import SECOND, Millis
from streams.config import Settings
from streams.errors import Fatal
from streams.processing.presence import COUNTS_S
from streams.rulebook.remarks import Checked
from streams.tables import Keys, Redis, read_applied
from streams.tables.presence import read_present
from streams.tables.rules import RulesDocument, in_force, put_in_force, read_rules
from streams.tables.server import ask, reaching
from streams.valuation import Valuation, decode_valuation

LOOK_S: Final = 0.2


class Standing(NamedTuple):
    """Rules in force; `version` is the newest seen anywhere, which may be that of a configuration that we do not know."""

    rules: Rules
    version: int
    applied: RulesDocument | None
    partitions: int
    """How many have totals."""
    workers: int


async def standing(redis: Redis, settings: Settings) -> Standing:
    """How things stand. Raises Retry and Fatal."""
    prefix = settings.redis.prefix
    applied = await read_rules(redis, prefix)
    rules = in_force(settings.rules(), applied)
    valuations = await _valuations(redis, settings)
    with reaching("redis"):
        seconds, _ = await ask(redis, "TIME")
    alive = [each for each in await read_present(redis, prefix) if (int(seconds) - COUNTS_S) * SECOND <= each.seen]
    version = max([rules.version, *(valuation.rules for valuation in valuations)])
    return Standing(rules, version, applied, len(valuations), len(alive))


async def _valuations(redis: Redis, settings: Settings) -> list[Valuation]:
    parts = await read_applied(redis, partitions_of(settings))
    found = (decode_valuation(part.progress.valuation) for part in parts if part is not None)
    return [valuation for valuation in found if valuation is not None]


def partitions_of(settings: Settings) -> list[Keys]:
    """The keys of all partitions."""
    return [Keys(settings.redis.prefix, number) for number in range(settings.kafka.partitions)]


def next_rules(now: Standing, checked: Checked) -> Rules:
    """The rules of a document under the version that they get. Raises Fatal if they are no newer, or none other."""
    version = checked.version or now.version + 1
    rules = checked.rules(version)
    if structs.replace(rules, version=now.rules.version) == now.rules and now.version == now.rules.version:
        raise Fatal("rules", f"nothing differs from version {now.version}, which is in force", "there is nothing to apply")
    if version <= now.version:
        what = f"rules_version {version} is not newer than version {now.version}, which is in force"
        todo = f"see what would change (leadbeat rules diff); then write rules_version = {now.version + 1}, or leave it out"
        raise Fatal("rules", what, todo)
    return rules


async def apply(redis: Redis, settings: Settings, rules: Rules) -> None:
    """Put rules in force. Raises Retry, after which the same may be tried again, and Fatal if others were quicker."""
    document = RulesDocument(rules, Millis(time.time_ns() // 1_000_000), f"{getpass.getuser()} on {socket.gethostname()}")
    await put_in_force(redis, settings.redis.prefix, document)


async def revalued(redis: Redis, settings: Settings, version: int, tell: Callable[[int, int], None]) -> None:
    """Wait until all totals are of a version of the rules, or a later one; `tell` is told how many are, and of how many."""
    while True:
        valuations = await _valuations(redis, settings)
        done = sum(valuation.rules >= version for valuation in valuations)
        tell(done, len(valuations))
        if done == len(valuations):
            return
        await asyncio.sleep(LOOK_S)
