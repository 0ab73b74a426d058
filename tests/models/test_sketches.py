"""The sentence about the sketch: a quantile is within 1 % of the exact nearest rank, and what was added can be taken away."""

from collections import Counter
from fractions import Fraction
from math import ceil, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sketches import BUCKETS, LONGEST, RELATIVE_ERROR, ZERO, Sketches, buckets, estimate, lay_out

DURATIONS = st.one_of(
    st.integers(0, 10**12),
    st.integers(0, 1000),
    st.integers(0, 12).map(lambda power: 10**power),
    st.integers(0, 3000).map(lambda power: min(LONGEST, int(((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)) ** (power / 2)))),
)
SHARES = st.one_of(st.sampled_from((0.5, 0.9, 0.95, 1.0)), st.integers(1, 1000).map(lambda share: share / 1000))


def bucket(duration):
    (found,) = buckets(np.array([duration])).tolist()
    assert 0 <= found < BUCKETS
    return found


def sketch(durations):
    return Counter(bucket(duration) for duration in durations)


def quantiles(sketches, share):
    """The quantile of each sketch in each of the windows that it has counts for, all worked out side by side."""
    windows = max(len(windows) for windows in sketches)
    entries, counts = [], [[0] for _ in range(windows)]
    for number, one in enumerate(sketches):
        for each in sorted({each for window in one for each in window}):
            entries.append((f"s{number}", each, len(counts[0])))
            for window in range(windows):
                counts[window].append(one[window].get(each, 0) if window < len(one) else 0)
    found = Sketches(lay_out(reversed(entries)), np.array(counts, np.int64).reshape(windows, -1))
    told = found.quantile(share, [f"s{number}" for number in range(len(sketches))]).tolist()
    return [[None if isnan(value) else value for value in row[: len(one)]] for row, one in zip(told, sketches, strict=True)]


def quantile(counts, share):
    ((value,),) = quantiles([[counts]], share)
    return value


def maximum(counts):
    return quantile(counts, 1.0)


def within_a_hundredth(value, exact):
    return value == 0 if exact == 0 else abs(Fraction(value) - exact) <= Fraction(exact, 100)


@given(DURATIONS)
def test_a_bucket_answers_within_a_hundredth_of_all_it_holds(duration):
    assert within_a_hundredth(estimate(bucket(duration)), duration)


@given(DURATIONS, DURATIONS)
def test_a_longer_duration_is_in_no_lower_bucket(one, other):
    shorter, longer = sorted((one, other))
    assert bucket(shorter) <= bucket(longer)
    assert estimate(bucket(shorter)) <= estimate(bucket(longer))


@given(st.lists(DURATIONS, min_size=1, max_size=60), SHARES)
def test_a_quantile_is_within_a_hundredth_of_the_exact_nearest_rank(durations, share):
    exact = sorted(durations)[ceil(Fraction(str(share)) * len(durations)) - 1]
    assert within_a_hundredth(quantile(sketch(durations), share), exact)


@given(st.lists(st.lists(st.lists(DURATIONS), min_size=1, max_size=3), min_size=1, max_size=5), SHARES)
def test_sketches_side_by_side_answer_as_each_would_alone(durations, share):
    sketches = [[sketch(window) for window in windows] for windows in durations]
    assert quantiles(sketches, share) == [[quantile(window, share) for window in windows] for windows in sketches]


@given(st.lists(DURATIONS, min_size=1, max_size=60))
def test_the_maximum_is_within_a_hundredth_of_the_longest(durations):
    assert within_a_hundredth(maximum(sketch(durations)), max(durations))


@given(st.lists(DURATIONS), st.lists(DURATIONS))
def test_what_was_added_and_taken_away_again_leaves_no_trace(kept, gone):
    counts = sketch(kept)
    counts.update(sketch(gone))
    counts.subtract(sketch(gone))
    assert +counts == sketch(kept)
    for share in (0.5, 0.9, 0.95):
        assert quantile(counts, share) == quantile(sketch(kept), share)
    assert maximum(counts) == maximum(sketch(kept))


@given(st.lists(DURATIONS), st.lists(DURATIONS))
def test_sketches_merge_to_the_sketch_of_both(one, other):
    assert sketch(one) + sketch(other) == sketch(one + other)


@pytest.mark.parametrize(
    ("count", "share", "rank"), [(20, 0.95, 19), (10, 0.9, 9), (100, 0.95, 95), (100, 0.07, 7), (3, 0.5, 2)]
)
def test_a_rank_is_not_off_by_one_where_the_share_of_n_is_whole(count, share, rank):
    short, long = bucket(1), bucket(10**9)
    assert quantile({short: rank, long: count - rank}, share) == estimate(short)
    assert quantile({short: rank - 1, long: count - rank + 1}, share) == estimate(long)


def test_an_empty_sketch_has_no_quantile_and_no_maximum():
    assert quantile({}, 0.5) is None
    assert maximum({}) is None
    assert quantile({3: 0}, 0.5) is None
    assert maximum({3: 0}) is None


def test_no_time_at_all_is_exactly_zero():
    assert bucket(0) == bucket(-5) == ZERO
    assert estimate(ZERO) == 0
    assert quantile({ZERO: 3}, 0.9) == maximum({ZERO: 3}) == 0
