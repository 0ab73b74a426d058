"""Where reading starts: only where what is stored and the log fit together."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from streams.errors import Fatal
from streams.processing.start import Start, start_of
from streams.tables import Progress
from streams.transport import LogEnds, fingerprint

RECORD = SimpleNamespace(offset=9, timestamp=1_000, key=b"k", value=b"v", headers=())
STORED = Progress(offset=10, fingerprint=fingerprint(RECORD))


def log_of(earliest=0, end=20, committed=None, record=RECORD):
    async def read(_offset):
        return record

    async def told():
        return committed

    return LogEnds(earliest, end, read, told)


async def test_it_goes_on_behind_what_was_applied_last():
    assert await start_of("here", STORED, log_of()) == Start(10)


async def test_it_begins_at_the_logs_start_if_nothing_was_ever_read():
    for committed in (None, 0):
        assert await start_of("here", Progress(), log_of(earliest=3, committed=committed)) == Start(3)


@pytest.mark.parametrize(
    ("stored", "log", "told"),
    [
        (
            Progress(),
            log_of(committed=7),
            "it holds nothing, though the group has come to offset 7",
        ),
        (STORED, log_of(earliest=13), "3 events from offset 10 on are past the log's retention"),
        (STORED, log_of(end=9), "stands at offset 10, behind the log's end 9"),
        (replace(STORED, fingerprint="another"), log_of(), "another record stands before offset 10"),
    ],
)
async def test_it_refuses_what_does_not_fit_together(stored, log, told):
    with pytest.raises(Fatal, match=told):
        await start_of("here", stored, log)


async def test_a_record_that_the_log_has_no_more_is_not_asked_for():
    assert await start_of("here", replace(STORED, fingerprint="another"), log_of(earliest=10)) == Start(10)
    assert await start_of("here", replace(STORED, fingerprint="another"), log_of(record=None)) == Start(10)


async def test_lost_events_are_counted_and_passed_over_if_that_is_wanted():
    assert await start_of("here", STORED, log_of(earliest=13), skip_lost=True) == Start(13, lost=3)
    assert await start_of("here", STORED, log_of(), skip_lost=True) == Start(10)
