"""Windows against brute force: where every occurrence lies, at any clock, in zones with awkward days."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from build import DAY, HOUR, MINUTE, NOON, SECOND
from hypothesis import given
from hypothesis import strategies as st

from models.units import Millis, millis, moment
from models.windows import (
    DAILY,
    DUE_LAG,
    EMPTY,
    PANE_LENGTH,
    RETENTION,
    WINDOW_INDEX,
    WINDOWS,
    Calendar,
    LocalDays,
    Pane,
    enters_horizon,
    horizon,
)

ZONES = st.sampled_from(
    (
        "UTC",
        "Europe/Berlin",
        "America/Havana",
        "America/Sao_Paulo",
        "Asia/Beirut",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Pacific/Chatham",
        "America/St_Johns",
    )
)

CHANGES = [
    datetime(2011, 12, 30, 10, tzinfo=UTC),  # Apia leaves out a day
    datetime(2025, 3, 9, 5, tzinfo=UTC),  # Havana has no midnight
    datetime(2025, 11, 2, 5, tzinfo=UTC),  # Havana has two
    datetime(2018, 2, 18, 2, tzinfo=UTC),  # Sao Paulo goes back from midnight
    datetime(2025, 3, 29, 22, tzinfo=UTC),  # Beirut has no midnight
    datetime(2025, 10, 25, 21, tzinfo=UTC),  # Beirut goes back from midnight
    datetime(2025, 3, 30, 1, tzinfo=UTC),  # Berlin
    datetime(2025, 10, 4, 15, 30, tzinfo=UTC),  # Lord Howe, half an hour
    datetime(2008, 11, 2, 2, 31, tzinfo=UTC),  # St John's goes back a minute after midnight
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2024, 12, 31, 23, tzinfo=UTC),
]

CLOCKS = st.one_of(
    st.builds(lambda change, ms: millis(change) + ms, st.sampled_from(CHANGES), st.integers(-2 * DAY, 2 * DAY)),
    st.builds(
        lambda change, minutes, edge: millis(change) + minutes * 15 * MINUTE + edge,
        st.sampled_from(CHANGES),
        st.integers(-100, 100),
        st.sampled_from((-1, 0, 1)),
    ),
    st.integers(1_262_304_000_000, 1_893_456_000_000),
)


@cache
def day_of(zone: str, at: int) -> date:
    """The latest local date seen up to an instant: a clock that is put back past midnight does not bring a date back."""
    backs = range(62) if zone == "America/St_Johns" else (0,)
    return max((moment(Millis(at)) - timedelta(minutes=back)).astimezone(ZoneInfo(zone)).date() for back in backs)


def lies_in(name: str, at: int, clock: int, zone: str) -> bool:
    """Whether an occurrence is in a window: by counting whole panes or whole dates."""
    lengths = {"5m": (30, 10), "15m": (90, 10), "1h": (360, 10), "4h": (48, 300), "24h": (288, 300), "7d": (168, 3600)}
    if name in lengths:
        panes, seconds = lengths[name]
        return 0 <= clock // (seconds * SECOND) - at // (seconds * SECOND) < panes
    then, today = day_of(zone, at), day_of(zone, clock)
    if name.endswith("d"):
        return 0 <= (today - then).days < int(name[:-1])
    begun_together = {
        "today": then == today,
        "week": then.isocalendar()[:2] == today.isocalendar()[:2],
        "month": (then.year, then.month) == (today.year, today.month),
        "quarter": (then.year, (then.month + 2) // 3) == (today.year, (today.month + 2) // 3),
        "year": then.year == today.year,
    }
    return then <= today and begun_together[name]


def around(clock: int, shift: int) -> list[int]:
    """Instants at every distance that matters from a clock: each day's for a quarter, then sparser, and windows' edges."""
    days = [*range(-2, 95), *range(95, 380, 9)]
    edges = [window.length_ms + step for window in WINDOWS if window.pane is not Pane.DAY for step in (-MINUTE, -1, 0, 1, HOUR)]
    return [clock - day * DAY + shift for day in days] + [clock - edge + shift % (10 * SECOND) for edge in edges]


@given(ZONES, CLOCKS, st.one_of(st.just(0), st.integers(-DAY // 2, DAY // 2)))
def test_an_occurrence_lies_in_exactly_the_windows_that_brute_force_says(zone, clock, shift):
    calendar = Calendar(zone)
    spans = {window.name: calendar.span(window, clock) for window in WINDOWS}
    for at in around(clock, shift):
        assert {name for name in spans if at in spans[name]} == {name for name in spans if lies_in(name, at, clock, zone)}


@given(ZONES, CLOCKS)
def test_a_window_is_whole_panes(zone, clock):
    calendar = Calendar(zone)
    for window in WINDOWS:
        span = calendar.span(window, clock)
        assert clock in span
        for edge in span:
            assert calendar.pane_start(window.pane, edge) == edge
        assert calendar.pane_end(window.pane, calendar.pane_start(window.pane, Millis(span.end - 1))) == span.end


@given(ZONES, CLOCKS)
def test_panes_of_each_size_tile_time(zone, at):
    calendar = Calendar(zone)
    for pane in Pane:
        start = calendar.pane_start(pane, at)
        end = calendar.pane_end(pane, start)
        assert start <= at < end
        assert calendar.pane_start(pane, Millis(end - 1)) == start
        assert calendar.pane_start(pane, end) == end


@given(ZONES, CLOCKS)
def test_each_finer_pane_lies_within_one_coarser_pane(zone, at):
    calendar = Calendar(zone)
    ten_seconds = calendar.pane_start(Pane.TEN_SECONDS, at)
    for pane in Pane:
        assert calendar.pane_start(pane, ten_seconds) == calendar.pane_start(pane, at)


@given(ZONES, CLOCKS)
def test_the_day_of_an_instant_does_not_depend_on_what_was_asked_before(zone, at):
    asked = LocalDays(zone)
    for minutes in range(0, 180, 7):
        asked.floor(Millis(at + minutes * MINUTE))
        asked.floor(Millis(at - minutes * MINUTE))
    assert asked.floor(at) == LocalDays(zone).floor(at)


@given(ZONES, CLOCKS)
def test_retention_never_cuts_a_pane_that_a_window_needs_nor_one_of_the_window_before_it(zone, clock):
    calendar = Calendar(zone)
    for window in WINDOWS:
        span = calendar.span(window, clock)
        before = calendar.span(window, Millis(span.start - 1))
        for start in (span.start, before.start):
            assert start >= calendar.oldest_start(window.pane, clock), window.name


@given(ZONES, CLOCKS)
def test_the_window_before_is_kept_whole_ends_where_the_window_starts_or_earlier_and_has_no_more_days(zone, clock):
    calendar = Calendar(zone)
    for window in WINDOWS:
        span, before = calendar.span(window, clock), calendar.previous_span(window, clock)
        if window not in DAILY:
            assert before == EMPTY
            continue
        assert calendar.oldest_start(window.pane, clock) <= before.start < before.end <= span.start
        days = [[calendar.days.date_of(Millis(at)).toordinal() for at in (each.start, each.end - 1)] for each in (span, before)]
        (first, last), (first_before, last_before) = days
        if window.pane is not Pane.DAY:
            assert before == (span.start - window.length_ms, span.start)
        elif window.length_ms:
            assert (last_before + 1, last_before - first_before) == (first, last - first)
        else:
            assert first_before == calendar.days.date_of(calendar.span(window, Millis(span.start - 1)).start).toordinal()
            assert last_before == min(first_before + last - first, first - 1)


@pytest.mark.parametrize(
    ("window", "today", "first", "last"),
    [
        ("month", "2026-03-10", "2026-02-01", "2026-02-10"),
        ("month", "2026-03-31", "2026-02-01", "2026-02-28"),
        ("month", "2026-01-01", "2025-12-01", "2025-12-01"),
        ("today", "2026-03-01", "2026-02-28", "2026-02-28"),
        ("week", "2026-03-04", "2026-02-23", "2026-02-25"),
        ("quarter", "2026-06-30", "2026-01-01", "2026-03-31"),
        ("quarter", "2026-03-31", "2025-10-01", "2025-12-29"),
        ("year", "2026-12-31", "2025-01-01", "2025-12-31"),
        ("year", "2024-12-31", "2023-01-01", "2023-12-31"),
        ("year", "2026-03-02", "2025-01-01", "2025-03-02"),
        ("30d", "2026-03-02", "2026-01-02", "2026-01-31"),
    ],
)
def test_a_period_so_far_is_compared_with_as_many_days_of_the_one_before(window, today, first, last):
    noon = millis(datetime.fromisoformat(f"{today}T12:00:00+00:00"))
    span = Calendar("UTC").previous_span(WINDOWS[WINDOW_INDEX[window]], noon)
    assert [moment(at).date().isoformat() for at in (span.start, Millis(span.end - 1))] == [first, last]


@given(ZONES, CLOCKS, st.integers(0, 40 * DAY))
def test_what_is_past_its_retention_stays_so(zone, clock, later):
    calendar = Calendar(zone)
    for pane in Pane:
        assert calendar.oldest_start(pane, Millis(clock + later)) >= calendar.oldest_start(pane, clock)


@given(st.integers(-(10**12), 4 * 10**12), st.integers(0, 10**9))
def test_an_occurrence_enters_the_horizon_at_the_instant_that_says_so(at, before):
    enters = enters_horizon(at)
    assert horizon(enters) > at
    assert horizon(Millis(enters - 1)) <= at
    assert horizon(Millis(enters - 1 - before)) <= at


def test_the_horizon_is_the_end_of_the_ten_seconds_in_which_the_clock_stands():
    assert horizon(Millis(NOON - DUE_LAG)) == NOON + 10 * SECOND
    assert horizon(Millis(NOON - DUE_LAG - 1)) == NOON


def test_windows_are_found_by_name_and_retention_covers_the_design():
    assert [WINDOWS[WINDOW_INDEX[window.name]] for window in WINDOWS] == list(WINDOWS)
    assert [RETENTION[pane] / PANE_LENGTH[pane] for pane in Pane] == [900, 600, 360, 800]


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("UTC", date(2026, 3, 2), "2026-03-02T00:00:00+00:00"),
        ("Asia/Kathmandu", date(2026, 3, 2), "2026-03-01T18:15:00+00:00"),
        ("America/Havana", date(2025, 3, 9), "2025-03-09T05:00:00+00:00"),
        ("America/Havana", date(2025, 11, 2), "2025-11-02T04:00:00+00:00"),
        ("Asia/Beirut", date(2025, 10, 26), "2025-10-25T22:00:00+00:00"),
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00:00+00:00"),
        ("Australia/Lord_Howe", date(2025, 10, 5), "2025-10-04T13:30:00+00:00"),
        ("America/St_Johns", date(2008, 11, 2), "2008-11-02T02:30:00+00:00"),
    ],
)
def test_a_day_starts_at_its_first_instant(zone, day, start):
    assert moment(LocalDays(zone).start_of(day)).isoformat() == start


@pytest.mark.parametrize(("day", "length"), [(date(2025, 3, 30), 23), (date(2025, 10, 26), 25), (date(2025, 6, 1), 24)])
def test_a_day_in_berlin_is_as_long_as_its_clocks_say(day, length):
    calendar = Calendar("Europe/Berlin")
    start = calendar.days.start_of(day)
    assert calendar.pane_end(Pane.DAY, start) - start == length * HOUR


def test_the_first_minute_of_a_day_that_is_put_back_stays_in_that_day():
    days = LocalDays("America/St_Johns")
    start = days.start_of(date(2008, 11, 2))
    for minutes in (0, 1, 30, 60, 61):
        assert days.date_of(Millis(start + minutes * MINUTE)) == date(2008, 11, 2)


def test_a_span_holds_instants_only():
    span = Calendar("UTC").span(WINDOWS[0], NOON)
    assert NOON in span
    assert span.end not in span
    assert "noon" not in span
