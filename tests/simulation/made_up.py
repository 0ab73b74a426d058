"""A world's time and chance, in place of a machine's."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Final
from unittest.mock import patch

import structlog
from simulation.world import World

from models.units import SECOND
from streams.valuation import valuation_of

VALUATION_OF: Final = cache(valuation_of)


@contextmanager
def made_up_time(world: World) -> Iterator[None]:
    """Within, all code goes by the world's time, and draws its tokens from the world's lot."""
    loop, tokens = world.loop, world.lot("tokens")
    clock = SimpleNamespace(
        monotonic=loop.time,
        time=lambda: world.wall() / SECOND,
        time_ns=lambda: world.wall() * 10**6,
        perf_counter=loop.time,
    )
    modules = (
        "streams.processing.owner",
        "streams.processing.publisher",
        "streams.processing.revaluation",
        "streams.processing.telling",
        "streams.transport.consumer",
        "streams.inbound.normaliser",
        "streams.inbound.dead_letter_log",
    )
    patches = [patch(f"{module}.time", clock) for module in modules]
    patches.append(patch("streams.processing.checkpoint.token_hex", lambda size: f"{tokens.getrandbits(8 * size):x}"))
    patches.append(patch("streams.processing.worker.valuation_of", VALUATION_OF))
    patches.append(patch("streams.processing.owner.CACHED_LEADS", world.scale.remembered))
    logs = structlog.get_config()
    structlog.configure(processors=[world.hear])
    with ExitStack() as patched:
        for each in patches:
            patched.enter_context(each)
        try:
            yield
        finally:
            structlog.configure(**logs)
