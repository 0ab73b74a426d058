"""Instants are whole milliseconds, there and back; errors tell where, what and what to do."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from build import NOON
from hypothesis import given
from hypothesis import strategies as st

from models.belief import EARLIEST, LATEST
from models.errors import InvalidEventError, InvalidRulesError, LeadbeatError
from models.units import isoformat, millis, moment


@given(st.integers(-(10**13), 10**14))
def test_an_instant_comes_back_from_its_datetime_and_its_text(at):
    assert millis(moment(at)) == at
    assert millis(datetime.fromisoformat(isoformat(at))) == at


ZONES = st.sampled_from((UTC, timezone(timedelta(hours=5, minutes=45))))
FIRST, LAST = (datetime.fromisoformat(day) for day in ("0001-01-02", "9999-12-30"))


@given(st.datetimes(FIRST, LAST, timezones=ZONES))
def test_a_fraction_of_a_millisecond_is_cut_off(exact):
    assert timedelta(0) <= exact - moment(millis(exact)) < timedelta(milliseconds=1)


def test_an_instant_is_written_in_utc_with_milliseconds():
    assert isoformat(NOON) == "2026-03-02T12:00:00.000Z"
    assert (isoformat(EARLIEST), isoformat(LATEST)) == ("1990-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z")


@pytest.mark.parametrize("kind", [LeadbeatError, InvalidEventError, InvalidRulesError])
def test_an_error_tells_where_what_and_what_to_do(kind):
    error = kind("roster", "ana is twice in it", "keep one")
    assert isinstance(error, LeadbeatError)
    assert str(error) == "roster: ana is twice in it (keep one)"
    assert str(kind("roster", "ana is twice in it")) == "roster: ana is twice in it"
    assert (error.where, error.what, error.todo) == ("roster", "ana is twice in it", "keep one")
