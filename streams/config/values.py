"""Kinds of values that settings have: how each is written, what it may be, and what is said of one that it may not be."""

import re
from datetime import date, datetime
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import iso4217
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints

from models.calendars import Shift
from models.rules import OTHER, UNASSIGNED, UNKNOWN
from models.units import DAY, HOUR, MINUTE, SECOND, Duration, Millis, millis

BUSINESS = frozenset({"bm", "bh", "bd"})
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
    if unit in BUSINESS:
        raise ValueError(f"is in business time ({unit}), which is for SLA targets only: give wall time with s, m, h or d")
    if unit not in UNITS:
        raise ValueError(f"{unit!r} is not a unit of time: use s, m, h or d")
    return Duration(int(amount) * UNITS[unit])


def _target(duration: Duration) -> Duration:
    if duration <= 0:
        raise ValueError("must be longer than 0")
    return duration


class Promised(NamedTuple):
    """A target of an SLA: how long, and of which time."""

    target_ms: Duration
    time: Literal["wall", "business", "business_days"] = "wall"


def _promised(value: object) -> Promised:
    """A target such as 5m of wall time, 5bm or 2bh of business time, or 1bd, a business day."""
    match = re.fullmatch(r"([0-9]{1,6})b([mhd])", value) if isinstance(value, str) else None
    if match is None:
        return Promised(_target(parse_duration(value)))
    amount = _target(Duration(int(match[1]) * UNITS[match[2]]))
    return Promised(amount, "business_days" if match[2] == "d" else "business")


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


def _url(secret: SecretStr) -> SecretStr:
    """A secret that can be read as a URL. Of what is wrong nothing is told that could be part of a password."""
    try:
        urlsplit(secret.get_secret_value())
    except ValueError:
        raise ValueError("is not a URL: write what a password has of [, ], /, ?, #, : and @ as %5B, %5D, %2F ...") from None
    return secret


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


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be a path from the root on, such as /var/lib/leadbeat/spool.db")
    return path


def _currency(code: str) -> str:
    if decimal_places(code) < 0:
        raise ValueError("is not a currency: use a code of ISO 4217, such as EUR")
    return code


def decimal_places(code: str) -> int:
    """How many a currency of ISO 4217 has; -1 for what is none, or has no minor units (gold, units of account)."""
    try:
        found = iso4217.Currency(code).exponent
    except ValueError:
        return -1
    return -1 if found is None else int(found)


def _worth(value: object) -> str:
    return _decimal(value, 'is not a rate: write what one unit is worth as text, such as "0.9214"')


def _amount(value: object) -> str:
    return _decimal(value, 'is not a number above 0: write it as text, such as "1000000"')


def _decimal(value: object, fault: str) -> str:
    text = str(value) if isinstance(value, (str, int)) else ""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,12})?", text) or not float(text):
        raise ValueError(fault)
    return text


def _share(value: object) -> str:
    text = str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?", text) or float(text) > 100:  # noqa: PLR2004 - all of it
        raise ValueError('is not a percentage from 0 to 100 with at most 4 decimal places, such as "7.5"')
    return text


Place: TypeAlias = tuple[int | str, ...]
"""Where in the settings something stands: keys and indices."""
Mistake: TypeAlias = tuple[Place, str]
Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
GivenName: TypeAlias = Annotated[Text, AfterValidator(_unreserved)]
Span: TypeAlias = Annotated[Duration, BeforeValidator(parse_duration)]
Target: TypeAlias = Annotated[Duration, AfterValidator(_target), BeforeValidator(parse_duration)]
Promise: TypeAlias = Annotated[Any, BeforeValidator(_promised)]
"""A target of an SLA, as `Promised`."""
Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]
SecretUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_url)]
Brokers: TypeAlias = Annotated[Text, AfterValidator(_brokers)]
Since: TypeAlias = Annotated[Any, BeforeValidator(_since)]
"""A date, a datetime with or without an offset, or None for ever since; see `instant`."""
Port: TypeAlias = Annotated[int, Field(ge=0, le=HIGHEST_PORT)]
Hours: TypeAlias = Annotated[str, AfterValidator(_hours)]
"""Days and local times, such as Mon-Fri 09:00-18:00."""
FilePath: TypeAlias = Annotated[Path, AfterValidator(_absolute)]
Currency: TypeAlias = Annotated[str, AfterValidator(_currency)]
Worth: TypeAlias = Annotated[str, BeforeValidator(_worth)]
"""A decimal number above 0, as text: a binary fraction would not be the one that was written."""
Amount: TypeAlias = Annotated[str, BeforeValidator(_amount)]
"""A decimal number above 0, as text, of which there may be many."""
Share: TypeAlias = Annotated[str, BeforeValidator(_share)]
"""A percentage with at most four decimal places, as text."""
Positive: TypeAlias = Annotated[int, Field(ge=1, le=2**31)]
WindowName: TypeAlias = Literal[
    "5m", "15m", "1h", "4h", "24h", "7d", "30d", "60d", "90d", "today", "week", "month", "quarter", "year"
]
WindowOrNow: TypeAlias = Literal[WindowName, "now"]


def instant(since: date | None, zone: str) -> Millis:
    """The instant of a `from`: a date begins at local midnight, a time without an offset is local, None is the epoch."""
    if since is None:
        return Millis(0)
    start = since if isinstance(since, datetime) else datetime(since.year, since.month, since.day)  # noqa: DTZ001 - below
    return millis(start if start.tzinfo else start.replace(tzinfo=ZoneInfo(zone)))


class Section(BaseModel):
    """A part of the settings: immutable, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
