"""Kinds of values that settings have: how each is written, what it may be, and what is said of one that it may not be."""

import re
from datetime import date, datetime
from ipaddress import IPv6Address
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints

from models.calendars import Shift
from models.rules import OTHER, UNASSIGNED, UNKNOWN
from models.units import DAY, HOUR, MINUTE, SECOND, Duration, Millis, millis

UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
RESERVED = frozenset({OTHER, UNASSIGNED, UNKNOWN})
HIGHEST_PORT = 65_535
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY, _TIME = "|".join(WEEKDAYS), "(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00"
HOURS = re.compile(f"(?P<first>{_DAY})(?:-(?P<last>{_DAY}))? (?P<start>{_TIME})-(?P<end>{_TIME})")


def parse_duration(value: object) -> Duration:
    """Milliseconds of `90s`, `5m`, `2h` or `1d`. Raises ValueError, with what to write instead, for anything else."""
    match = re.fullmatch(r"([0-9]{1,6})([a-z]+)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a duration: write it as a number with s, m, h or d, such as 90s, 5m, 2h or 1d")
    amount, unit = match.groups()
    if unit in {"bm", "bh", "bd"}:
        raise ValueError(f"business time ({unit}) is not supported yet: give wall time with s, m, h or d")
    if unit not in UNITS:
        raise ValueError(f"{unit!r} is not a unit of time: use s, m, h or d")
    return Duration(int(amount) * UNITS[unit])


def _target(duration: Duration) -> Duration:
    if duration <= 0:
        raise ValueError("must be longer than 0")
    return duration


def _since(value: object) -> date | None:
    if value is None or isinstance(value, date):
        since = value
    else:
        try:
            text = str(value)
            since = date.fromisoformat(text) if len(text) <= len("2026-01-31") else datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("is not a date: write 2026-01-31, or an instant as 2026-01-31T09:00:00+01:00") from None
    if since is not None and not 1970 <= since.year < 2100:  # noqa: PLR2004 - the epoch, and what events may carry
        raise ValueError("is outside the years 1970 to 2099")
    return since


def _unreserved(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name!r} is a name that Leadbeat gives itself: choose another")
    return name


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is not a time zone: use a name of the IANA database, such as Europe/Berlin")
    return name


def _brokers(addresses: str) -> str:
    brokers = [broker.strip() for broker in addresses.split(",")]
    if not all(_is_broker(broker) for broker in brokers):
        raise ValueError("must be host:port (kafka-1:9092), several with commas between, IPv6 in brackets ([::1]:9092)")
    return ",".join(brokers)


def _is_broker(address: str) -> bool:
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|[^\s:/@\[\]]+):([0-9]{1,5})", address)
    return match is not None and 0 < int(match[2]) <= HIGHEST_PORT and (match[1] is None or _is_ipv6(match[1]))


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def secret_key(key: SecretStr | None) -> SecretStr | None:
    """The key of a keyed hash, in hex, as it is. Raises ValueError, with what to write instead, for anything else."""
    if key is not None and not re.fullmatch(r"([0-9a-fA-F]{2}){16,64}", key.get_secret_value()):
        raise ValueError("must be 32 to 128 hex digits that nobody can guess (openssl rand -hex 32)")
    return key


def shifts(text: str) -> tuple[Shift, ...]:
    """The working hours of `Mon-Fri 09:00-18:00`, by weekday. Raises ValueError, with what to write instead."""
    match = HOURS.fullmatch(text)
    if match is None:
        raise ValueError("is not working hours: write them as Mon-Fri 09:00-18:00 or Sat 10:00-14:00")
    first, last = (WEEKDAYS.index(name) for name in (match["first"], match["last"] or match["first"]))
    start, end = (60 * int(hour) + int(minute) for hour, minute in (match["start"].split(":"), match["end"].split(":")))
    if first > last or start >= end:
        raise ValueError("must end after they begin: end a night at 24:00 and a week on Sun, and let another entry go on")
    return tuple(Shift(weekday, start, end) for weekday in range(first, last + 1))


def _hours(text: str) -> str:
    shifts(text)
    return text


Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
GivenName: TypeAlias = Annotated[Text, AfterValidator(_unreserved)]
Span: TypeAlias = Annotated[Duration, BeforeValidator(parse_duration)]
Target: TypeAlias = Annotated[Duration, AfterValidator(_target), BeforeValidator(parse_duration)]
Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]
Brokers: TypeAlias = Annotated[Text, AfterValidator(_brokers)]
Since: TypeAlias = Annotated[Any, BeforeValidator(_since)]
"""A date, a datetime with or without an offset, or None for ever since; see `instant`."""
Port: TypeAlias = Annotated[int, Field(ge=0, le=HIGHEST_PORT)]
Hours: TypeAlias = Annotated[str, AfterValidator(_hours)]
"""Days and local times, such as Mon-Fri 09:00-18:00."""
Positive: TypeAlias = Annotated[int, Field(ge=1, le=2**31)]
WindowName: TypeAlias = Literal[
    "5m", "15m", "1h", "4h", "24h", "7d", "30d", "60d", "90d", "today", "week", "month", "quarter", "year"
]


def instant(since: date | None, zone: str) -> Millis:
    """The instant of a `from`: a date begins at local midnight, a time without an offset is local, None is the epoch."""
    if since is None:
        return Millis(0)
    start = since if isinstance(since, datetime) else datetime(since.year, since.month, since.day)  # noqa: DTZ001 - below
    return millis(start if start.tzinfo else start.replace(tzinfo=ZoneInfo(zone)))


class Section(BaseModel):
    """A part of the settings: immutable, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
