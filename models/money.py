"""Money: whole minor units of a currency, and what they are in the organisation's own currency.

An amount is converted at the rate of the instant that it belongs to, exactly, and rounded once to the nearest minor unit,
halves to the even one (ISO 80000-1, annex B).
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from msgspec import Struct

from models.units import Millis

MOST_DIGITS: Final = 4
"""Decimal places that a currency has at most (ISO 4217)."""


LARGEST: Final = 10**15
"""The largest converted amount that counts, in minor units: a rate that was written upside down gives such ones."""


class Rate(Struct, frozen=True, forbid_unknown_fields=True):
    """What one major unit of `currency`, which has so many decimal places, is worth from an instant on, as a decimal number."""

    currency: str
    digits: int
    worth: str
    valid_from: Millis = Millis(0)


class Money(Struct, frozen=True, forbid_unknown_fields=True):
    """The organisation's currency with its decimal places, and the rates of others."""

    currency: str = "EUR"
    digits: int = 2
    rates: tuple[Rate, ...] = ()

    @property
    def minor_units(self) -> int:
        """How many minor units one major unit has."""
        return int(10**self.digits)

    @property
    def currencies(self) -> frozenset[str]:
        """The currencies of which amounts can be converted."""
        return frozenset((self.currency, *(rate.currency for rate in self.rates)))


class Converter:
    """Amounts of any known currency as minor units of the organisation's own."""

    def __init__(self, money: Money) -> None:
        self._own = money.currency
        self._rates: dict[str, list[tuple[Millis, Fraction]]] = {}
        for rate in sorted(money.rates, key=_since):
            scale = Fraction(money.minor_units, 10**rate.digits)
            self._rates.setdefault(rate.currency, []).append((rate.valid_from, Fraction(rate.worth) * scale))

    def converted(self, amount: int | None, currency: str | None, at: Millis) -> int | None:
        """Minor units of the own currency at an instant; None for an amount that is not told, or of an unknown currency.

        Without a currency it is the organisation's own. Before its first rate a currency has that one. What comes to more than
        LARGEST is not told either: nobody is paid so much, and sums must not overflow.
        """
        if amount is None or currency is None or currency == self._own:
            return amount
        rates = self._rates.get(currency)
        found = None if rates is None else round(amount * _in_force(rates, at))
        return None if found is None or found > LARGEST else found


def _since(rate: Rate) -> Millis:
    return rate.valid_from


def _in_force(rates: Iterable[tuple[Millis, Fraction]], at: Millis) -> Fraction:
    """The last of some rates, of which there is one, that begins at or before an instant, or else the first."""
    (_, worth), *later = rates
    for since, next_worth in later:
        if since > at:
            break
        worth = next_worth
    return worth
