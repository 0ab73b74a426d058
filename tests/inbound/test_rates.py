import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.inbound.rates import BURST_S, STRANGERS, Bucket, Rates

GAPS = st.lists(st.floats(0, 3), max_size=200)


def admitted(bucket: Bucket, gaps: list[float]) -> list[float]:
    """When requests were admitted of those that came, each a while after the one before."""
    now, found = 1000.0, []
    for gap in gaps:
        now += gap
        if not bucket.wait(now):
            bucket.take(now)
            found.append(now)
    return found


@given(st.floats(0.5, 50), st.integers(1, 20), GAPS)
def test_no_span_of_time_has_more_than_its_burst_and_its_rate(rate, burst, gaps):
    taken = admitted(Bucket(rate, burst), gaps)
    for first, start in enumerate(taken):
        for count, end in enumerate(taken[first:], 1):
            assert count <= burst + rate * (end - start) + 1e-6


@given(st.floats(0.5, 50), st.integers(1, 20), GAPS)
def test_who_waits_as_long_as_told_is_admitted_and_who_keeps_to_the_rate_never_waits(rate, burst, gaps):
    bucket = Bucket(rate, burst)
    now = admitted(bucket, gaps)[-1:] or [1000.0]
    assert bucket.wait(now[0] + bucket.wait(now[0]) + 1e-9) == 0
    calm = Bucket(rate, burst)
    assert len(admitted(calm, [1.0001 / rate] * 100)) == 100


def test_what_one_has_too_many_of_is_not_taken_from_the_others():
    rates = Rates(20, 10, ["a", "b"])
    flood = [rates.admit("a", 0.0) for _ in range(10_000)]
    assert [wait == 0 for wait in flood] == [True] * 10 * BURST_S + [False] * (10_000 - 10 * BURST_S)
    assert flood[-1] == pytest.approx(0.1)
    assert [rates.admit("b", 0.0) for _ in range(10 * BURST_S)] == [0] * 10 * BURST_S


def test_nor_is_what_strangers_send():
    rates = Rates(20, 10, ["a"])
    assert sum(rates.admit(STRANGERS, 0.0) == 0 for _ in range(1000)) == 10 * BURST_S
    assert rates.admit("a", 0.0) == 0


def test_all_together_have_a_limit_too_and_are_not_counted_when_it_is_reached():
    rates = Rates(10, 10, ["a", "b"])
    assert [rates.admit("a", 0.0) for _ in range(10 * BURST_S)] == [0] * 10 * BURST_S
    assert rates.admit("b", 0.0) == pytest.approx(0.1)
    assert [rates.admit("b", 10.0) for _ in range(10 * BURST_S)] == [0] * 10 * BURST_S
