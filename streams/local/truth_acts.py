"""What the oracle sees people do, in the order in which it was done."""

from typing import Any, NamedTuple

TOUCH, REPLY, MEETING = 0, 1, 2
"""The order of what happens at the same instant."""


class Act(NamedTuple):
    """Something done at an instant, by `rep` where that is known."""

    at: int
    rank: int
    id: str
    rep: str | None
    channel: str
    said: tuple[Any, ...] = ()
    """What a touch says beside that: it decides at the same instant, where all else goes by id."""


def order(act: Act) -> tuple[int, int, tuple[Any, ...], str]:
    """Acts in time; of the same instant touches by what they say, then replies, then meetings, these by id."""
    return act.at, act.rank, act.said, act.id
