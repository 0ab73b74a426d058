"""Units and ids, so that a signature says what it takes."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType

Millis = NewType("Millis", int)
"""An instant: whole milliseconds since 1970-01-01T00:00:00Z."""

Duration = NewType("Duration", int)
"""A span of time in whole milliseconds."""

SubjectId = NewType("SubjectId", str)
"""A lead across the whole system: its connection's name, a colon, and the CRM's person id."""

SECOND = Duration(1_000)
MINUTE = Duration(60_000)
HOUR = Duration(3_600_000)
DAY = Duration(86_400_000)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def millis(moment: datetime) -> Millis:
    """The instant of an aware datetime, exactly; fractions of a millisecond are cut off."""
    return Millis((moment - _EPOCH) // _MILLISECOND)


def moment(at: Millis) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + at * _MILLISECOND


def isoformat(at: Millis) -> str:
    """RFC 3339 in UTC with milliseconds, as our JSON carries instants."""
    minute, rest = divmod(at, MINUTE)
    seconds, milliseconds = divmod(rest, SECOND)
    return f"{_minute(minute)}:{seconds:02}.{milliseconds:03}Z"


@lru_cache(maxsize=4096)
def _minute(number: int) -> str:
    return moment(Millis(number * MINUTE)).isoformat(timespec="minutes").removesuffix("+00:00")
