"""Alerts of one lead: what is remembered of those that were sent, and what is to be sent next.

An alert is of one threshold of one clock. It is sent when the threshold has passed (`warning` or `breach`), then once more when
the clock is answered (`resolved`), or when later facts say that it never came to pass (`retracted`). Should an answer be taken
back, it is sent anew.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from models.meaning import Threshold
from models.rules import BREACH_PERCENT
from models.state.told import BREACH, RESOLVED, RETRACTED, WARNING, Alerts, Told
from models.units import Millis


class News(NamedTuple):
    """A message to be sent; in the order in which they are sent. `threshold` is None where it never came to pass."""

    at: Millis
    percent: int
    name: str
    told: Told
    threshold: Threshold | None


def threshold_name(threshold: Threshold) -> str:
    """What identifies an alert of a lead: percent, inquiry and instant."""
    return f"{threshold.percent}:{threshold.clock}:{threshold.at}"


def parts_of(name: str) -> tuple[int, Millis, Millis]:
    """Percent, inquiry and instant of a name."""
    percent, clock, at = name.split(":")
    return int(percent), Millis(int(clock)), Millis(int(at))


def news(told: Alerts, thresholds: Sequence[Threshold]) -> list[News]:
    """What is to be sent of a lead; `told` remembers that it was. `thresholds` are those that were told, and new ones."""
    found = []

    def tell(name: str, kind: str, threshold: Threshold | None) -> None:
        last = told.get(name)
        told[name] = Told(kind, last.number + 1 if last else 1)
        percent, _, at = parts_of(name)
        found.append(News(at, percent, name, told[name], threshold))

    standing = {threshold_name(each): each for each in thresholds}
    for name, each in standing.items():
        begun = name in told and told[name].type not in _ENDED
        if not begun and (each.answered_at is None if name in told else not each.late):
            tell(name, BREACH if each.percent == BREACH_PERCENT else WARNING, each)
            begun = True
        if begun and each.answered_at is not None:
            tell(name, RESOLVED, each)
    for name in [name for name, last in told.items() if name not in standing and last.type != RETRACTED]:
        tell(name, RETRACTED, None)
    return found


_ENDED: Final = frozenset({RESOLVED, RETRACTED})
