"""Money, against arithmetic with decimals, which shares nothing with the fractions that convert."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from build import DAY, NOON
from hypothesis import given
from hypothesis import strategies as st

from models.money import LARGEST, Converter, Money, Rate
from models.units import Millis

EVER_SINCE, LATER = Millis(0), Millis(NOON + DAY)


@given(
    st.integers(0, 10**13),
    st.integers(1, 10**15),
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from((0, 3, 9, 12)),
)
def test_an_amount_is_converted_exactly_and_rounded_once(amount, worth, own, theirs, places):
    rate = f"{worth // 10**places}.{worth % 10**places:0{places}}" if places else str(worth)
    found = Converter(Money("EUR", own, (Rate("XXX", theirs, rate),))).converted(amount, "XXX", NOON)
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(amount).scaleb(-theirs) * Decimal(rate) * 10**own
        wanted = int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))
        assert found == (None if wanted > LARGEST else wanted)


@pytest.mark.parametrize(("amount", "cents"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_half_a_cent_is_rounded_to_the_even_one(amount, cents):
    assert Converter(Money(rates=(Rate("USD", 2, "0.5"),))).converted(amount, "USD", NOON) == cents


def test_the_rate_is_that_of_the_instant():
    converter = Converter(Money(rates=(Rate("JPY", 0, "0.01", LATER), Rate("JPY", 0, "0.02", Millis(NOON)))))
    found = [converter.converted(100, "JPY", Millis(at)) for at in (NOON - DAY, NOON, LATER - 1, LATER, LATER + DAY)]
    assert found == [200, 200, 200, 100, 100]


def test_what_is_not_told_or_has_no_rate_is_no_amount():
    converter = Converter(Money(rates=(Rate("USD", 2, "0.9"),)))
    assert [converter.converted(*told, NOON) for told in ((7, None), (7, "EUR"), (None, "USD"), (7, "GBP"))] == [
        7,
        7,
        None,
        None,
    ]


def test_money_knows_its_currencies_and_its_minor_units():
    assert Money(rates=(Rate("USD", 2, "0.9"), Rate("USD", 2, "0.8", LATER))).currencies == {"EUR", "USD"}
    assert [Money("EUR", digits).minor_units for digits in (0, 2, 3)] == [1, 100, 1000]


def test_what_a_rate_that_is_upside_down_makes_of_an_amount_does_not_count():
    converter = Converter(Money("JPY", 0, (Rate("EUR", 2, "9300"),)))
    assert converter.converted(10**13, "EUR", NOON) == 93 * 10**13
    assert Converter(Money("JPY", 0, (Rate("EUR", 2, "99999"),))).converted(10**13, "EUR", NOON) is None
    assert LARGEST == 10**15
