"""Which faults come in which order: the same for the same seed."""

from collections.abc import Sequence
from random import Random
from typing import Final

import faults.of_kafka
import faults.of_others
import faults.of_redis
import faults.of_workers  # noqa: F401 - all of them declare kinds
from faults.kinds import KINDS, Kind

QUICK: Final = "quick"
FULL: Final = "full"


def schedule(name: str, seed: int, names: Sequence[str] = (), count: int = 0) -> list[Kind]:
    """The faults of a schedule; of some kinds only, and so many, if asked for. Raises KeyError for a kind that there is not."""
    chosen = [KINDS[each] for each in names] or list(KINDS.values())
    rng = Random(f"{seed}/schedule")
    if count and names:
        found = [chosen[number % len(chosen)] for number in range(count)]
    else:
        found = [kind for kind in chosen for _ in range(getattr(kind, name))]
        found = rng.sample(found, min(count, len(found))) if count else found
    rng.shuffle(found)
    return found


def chunks(plan: Sequence[Kind], size: int) -> list[Sequence[Kind]]:
    """The same in pieces, each of which gets an installation of its own."""
    return [plan[start : start + size] for start in range(0, len(plan), size)]
