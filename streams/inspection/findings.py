"""What the doctor has found: one thing each, whether it is well, and what to do if it is not."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from models.errors import LeadbeatError
from models.units import SECOND
from streams.inspection.printing import printable

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


class Level(StrEnum):
    """How bad it is: well, to be looked at, or broken."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """One finding. `where` names what was looked at, `todo` what to do; nothing needs to be done about what is well."""

    level: Level
    where: str
    what: str
    todo: str = ""

    def __str__(self) -> str:
        advice = f" ({self.todo})" if self.todo else ""
        return printable(f"{self.level:<4}  {self.where}: {self.what}{advice}")


def ok(where: str, what: str) -> Finding:
    """It is well."""
    return Finding(Level.OK, where, what)


def warn(where: str, what: str, todo: str) -> Finding:
    """It works, but should be looked at."""
    return Finding(Level.WARN, where, what, todo)


def fail(where: str, what: str, todo: str) -> Finding:
    """It is broken."""
    return Finding(Level.FAIL, where, what, todo)


def of_fault(fault: LeadbeatError) -> Finding:
    """What an error says is broken."""
    return fail(fault.where, re.sub(r"\s*\n\s*", "; ", fault.what), fault.todo)


def span(ms: float) -> str:
    """A time in words short enough for a line: 4.2 s, 12 min, 3 h 20 min, 2 d 4 h."""
    seconds = abs(ms) / SECOND
    if seconds < _MINUTE_S:
        return f"{seconds:.1f} s"
    if seconds < _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S:.0f} h {seconds % _HOUR_S / _MINUTE_S:.0f} min"
    return f"{seconds // _DAY_S:.0f} d {seconds % _DAY_S / _HOUR_S:.0f} h"


def numbers(partitions: Iterable[int]) -> str:
    """Partitions by their numbers: `partition 2`, or `partitions 0, 2`."""
    told = sorted(partitions)
    return f"partition{'s' if len(told) > 1 else ''} {', '.join(map(str, told))}"
