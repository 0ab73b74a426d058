"""Money as the oracle reckons with it: decimal numbers of unlimited length, rounded once, halves to the even one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

DIGITS = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "JPY": 0, "KWD": 3}
"""The decimal places of the currencies that histories have (ISO 4217)."""

LARGEST = 10**15
"""What is more than so many minor units is not believed."""
PERIODS = {"month": 1, "quarter": 3, "year": 12}
"""How many months they have."""

EXACT = Context(prec=100)
"""More digits than any product here has, and enough to see on which side of a half any quotient lies."""


@dataclass(frozen=True)
class Money:
    """The organisation's own currency, and what others are worth in it: rates from so many ms on, by currency, oldest first."""

    currency: str = "EUR"
    rates: dict[str, list[tuple[int, Decimal]]] = field(default_factory=dict)

    @property
    def minor_units(self) -> int:
        """How many minor units of the own currency make a major one."""
        return int(10 ** DIGITS[self.currency])

    def converted(self, amount: int | None, currency: str | None, at: int) -> int | None:
        """An amount in minor units of the own currency at an instant; None without amount or rate, or if it is not believed."""
        if amount is None:
            return None
        worth = amount if currency is None or currency == self.currency else self._exchanged(amount, currency, at)
        return None if worth is None or worth > LARGEST else worth

    def _exchanged(self, amount: int, currency: str, at: int) -> int | None:
        rates = self.rates.get(currency, [])
        if not rates:
            return None
        worth = rates[0][1]
        for since, rate in rates:
            if since <= at:
                worth = rate
        major = EXACT.scaleb(Decimal(amount), -DIGITS[currency])
        return whole(EXACT.scaleb(EXACT.multiply(major, worth), DIGITS[self.currency]))


def money_of(currency: str, told: Iterable[tuple[str, int, str]]) -> Money:
    """Money from the own currency, and from other currencies' rates: of which, since when, and how much."""
    rates: dict[str, list[tuple[int, Decimal]]] = {}
    for other, since, worth in sorted(told, key=lambda rate: rate[1]):
        rates.setdefault(other, []).append((since, Decimal(worth)))
    return Money(currency, rates)


def part(amount: int, numerator: int, denominator: int) -> int:
    """So many parts of an amount."""
    return whole(EXACT.divide(Decimal(amount * numerator), Decimal(denominator)))


def whole(amount: Decimal) -> int:
    """The nearest whole number, of two equally near ones the even one."""
    return int(amount.to_integral_value(ROUND_HALF_EVEN))


def percent_of(amount: int, percent: str) -> int:
    """A share of an amount."""
    return whole(EXACT.scaleb(EXACT.multiply(Decimal(amount), Decimal(percent)), -2))


class PlanRow(NamedTuple):
    """An entry of the rules: since when, whose, what of the sales is paid to him, and how much a year on target."""

    since: int
    rep: str
    percent: str
    ote: str | None


def plan_row(entry: Mapping[str, Any], since: int) -> PlanRow:
    """An entry as the configuration file has it."""
    ote = entry.get("ote")
    return PlanRow(since, entry["rep"], str(entry["commission_percent"]), None if ote is None else str(ote))


class QuotaRow(NamedTuple):
    """An entry of the rules: since when, whose (a rep's or a team's), how much in how many months, and the ramp in percent."""

    since: int
    rep: str | None
    team: str | None
    amount: str
    months: int
    ramp: list[int]


def quota_row(entry: Mapping[str, Any], since: int) -> QuotaRow:
    """An entry as the configuration file has it."""
    whose = entry.get("rep"), entry.get("team")
    return QuotaRow(since, *whose, str(entry["amount"]), PERIODS[entry["per"]], list(entry.get("ramp", [])))
