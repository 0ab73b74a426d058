"""Sums and panes: columns of integers by series, their chunks, their names."""

from threading import Barrier
from unittest import mock

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threads import THREADS, at_once

from models import panes as module
from models.errors import InvalidStateError
from models.panes import SERIES_BITS, Panes
from models.sums import CHUNK, LEVEL_ROW, Changed, Sums, pack_runs, series_name, split_name, unpack, unpack_runs
from models.windows import Pane

HOUR = Pane.HOUR
AMOUNTS = st.one_of(st.integers(-3, 3), st.integers(-(2**53), 2**53))
COLUMN = st.dictionaries(st.integers(0, CHUNK - 1), AMOUNTS)


Held = dict[int, dict[int, int]]
STARTS = st.sampled_from([0, 1, 3_600_000, 2**41])
PLACED = st.lists(st.tuples(STARTS, st.integers(0, 4 * CHUNK), AMOUNTS))


def packed_of(cells: dict[int, int]) -> bytes:
    ids = sorted(cells)
    (packed,) = pack_runs(np.array(ids, np.int64), np.array([cells[each] for each in ids], np.int64), np.array([len(ids)]))
    return packed


def read(panes: Panes) -> Held:
    """What stands in panes; a pane without anything is left out."""
    found, starts = {}, list(panes)
    for start, (ids, amounts) in zip(starts, panes.columns(starts), strict=True):
        assert ids.tolist() == sorted(set(ids.tolist()))
        found[start] = dict(zip(ids.tolist(), amounts.tolist(), strict=True))
    return {start: cells for start, cells in found.items() if cells}


def put(panes: Panes, *entries) -> None:
    if entries:
        panes.add(*(np.array(column, np.int64) for column in zip(*sorted(entries), strict=True)))


def added(entries) -> Held:
    total: dict[tuple[int, int], int] = {}
    for start, series, amount in entries:
        total[start, series] = total.get((start, series), 0) + amount
    held: Held = {}
    for (start, series), amount in total.items():
        if amount:
            held.setdefault(start, {})[series] = amount
    return held


def stored_after(stored, cut):
    """What lies in Redis after a cut."""
    after = {start: {**stored.get(start, {}), **cut.get(start, {})} for start in {*stored, *cut}}
    return {start: {number: chunk for number, chunk in chunks.items() if chunk} for start, chunks in after.items()}


def loaded(stored) -> Panes:
    panes = Panes(HOUR)
    for start, chunks in stored.items():
        panes.put(start, chunks)
    return panes


@given(st.lists(COLUMN))
def test_packed_chunks_give_back_what_they_were_made_of(chunks):
    columns = [(each, cells[each]) for cells in chunks for each in sorted(cells)]
    offsets, amounts = (np.array([entry[place] for entry in columns], np.int64) for place in (0, 1))
    packed = list(pack_runs(offsets, amounts, np.array([len(cells) for cells in chunks], np.int64)))
    assert packed == [packed_of(cells) for cells in chunks]
    unpacked = [[column.tolist() for column in unpack(each)] for each in packed]
    assert [dict(zip(*each, strict=True)) for each in unpacked] == chunks
    there = [number for number, cells in enumerate(chunks) if cells]
    if there:
        *together, counts = (column.tolist() for column in unpack_runs([packed[number] for number in there]))
        assert list(zip(*together, strict=True)) == columns
        assert counts == [len(chunks[number]) for number in there]


def test_a_chunk_without_anything_is_no_bytes_at_all():
    assert packed_of({}) == b""
    assert [column.tolist() for column in unpack(b"")] == [[], []]


@given(PLACED)
def test_panes_hold_what_was_added(entries):
    panes = Panes(HOUR)
    put(panes, *entries)
    assert read(panes) == added(entries)


@given(st.lists(PLACED), st.lists(PLACED), st.sampled_from((1, 2, module._AT_ONCE)))
def test_panes_go_on_from_what_was_cut_and_tell_what_changed_since(before, after, at_once):
    with mock.patch.object(module, "_AT_ONCE", at_once):
        _go_on(before, after)


def _go_on(before, after):
    panes, stored = Panes(HOUR), {}
    for entries in before:
        put(panes, *entries)
        stored = stored_after(stored, panes.cut())
    again = loaded(stored)
    assert again.cut() == {}
    for entries in after:
        put(again, *entries)
        put(panes, *entries)
    entries = [entry for each in (*before, *after) for entry in each]
    assert read(again) == read(panes) == added(entries)
    changes = again.cut()
    assert changes == panes.cut()
    changed = {(start, series // CHUNK) for each in after for start, series, _ in each}
    assert {(start, number) for start, chunks in changes.items() for number in chunks} == changed
    assert read(loaded(stored_after(stored, changes))) == added(entries)


@given(st.lists(PLACED), STARTS, PLACED)
def test_panes_that_are_dropped_leave_nothing_and_the_others_stay(before, oldest, after):
    panes, stored = Panes(HOUR), {}
    for entries in before[:1]:
        put(panes, *entries)
        stored = stored_after(stored, panes.cut())
    for entries in before[1:]:
        put(panes, *entries)
    starts = {start for entries in before for start, _, _ in entries}

    assert sorted(panes.drop(oldest)) == sorted(start for start in starts if start < oldest)

    put(panes, *(entry for entry in after if entry[0] >= oldest))
    kept = [entry for entry in [*(entry for each in before for entry in each), *after] if entry[0] >= oldest]
    assert read(panes) == added(kept)
    cut = panes.cut()
    assert all(start >= oldest for start in cut)
    left = {start: chunks for start, chunks in stored.items() if start >= oldest}
    assert read(loaded(stored_after(left, cut))) == added(kept)


def test_panes_that_are_read_in_between_still_tell_what_changed():
    panes = Panes(HOUR)
    put(panes, (0, CHUNK + 3, 5))
    read(panes)
    put(panes, (0, CHUNK + 3, -5))
    assert read(panes) == {}
    assert panes.cut() == {0: {1: b""}}


def test_panes_that_have_not_changed_since_they_were_cut_lie_packed_only():
    panes = Panes(HOUR)
    put(panes, (0, 3, 5), (7, 4, 6))
    panes.cut()
    put(panes, (7, 4, 1))
    panes.cut()
    assert (set(panes._open), panes._cells.tolist(), read(panes)) == ({7}, [(7 << SERIES_BITS) | 4], {0: {3: 5}, 7: {4: 7}})
    panes.cut()
    assert (panes._open, len(panes._cells), read(panes)) == ({}, 0, {0: {3: 5}, 7: {4: 7}})


def test_a_series_gets_the_next_id_once():
    sums = Sums(["a", "b"])
    assert (sums.id_of("c"), sums.id_of("a"), len(sums)) == (2, 0, 3)
    assert sums.names == ["a", "b", "c"]


@pytest.mark.parametrize("count", [1, CHUNK, CHUNK + 1, 5 * CHUNK])
def test_sums_grow_and_keep_what_they_hold(count):
    sums = Sums(["first"])
    sums.values[3, 0] = 7
    for number in range(count):
        sums.id_of(f"s{number}")
    sums.values[LEVEL_ROW, count] = 1
    expected = {"first": {3: 7}, f"s{count - 1}": {LEVEL_ROW: 1}}
    found = {name: {row: value for row, value in enumerate(values) if value} for name, values in sums.nonzero()}
    assert found == expected


def test_a_chunk_replaces_all_of_a_row_it_stands_for_even_where_there_was_no_room_yet():
    source = Sums(f"s{number}" for number in range(3 * CHUNK))
    source.values[2, [CHUNK, 2 * CHUNK - 1]] = 4, 5
    target = Sums()
    chunks = source.chunks(2, [0, 1])
    assert chunks[0] == b""
    target.set_chunk(2, 1, chunks[1])
    assert target.values[2, CHUNK : 2 * CHUNK].tolist() == [4, *[0] * (CHUNK - 2), 5]
    target.set_chunk(2, 1, b"")
    assert not target.values.any()


@given(st.dictionaries(st.integers(0, 4 * CHUNK - 1), AMOUNTS), st.sets(st.integers(0, 3)))
def test_chunks_of_a_row_are_those_asked_for_without_zeros(cells, numbers):
    sums = Sums(f"s{number}" for number in range(4 * CHUNK))
    for series, amount in cells.items():
        sums.values[1, series] = amount
    found = {
        number: [column.tolist() for column in unpack(packed)] for number, packed in sums.chunks(1, sorted(numbers)).items()
    }
    kept = {number: sorted(each for each, amount in cells.items() if each // CHUNK == number and amount) for number in numbers}
    assert found == {number: [[i % CHUNK for i in ids], [cells[i] for i in ids]] for number, ids in kept.items()}


@given(
    st.sampled_from(("calls", "reply_time")), st.sampled_from(("", "sum", "b12")), st.sampled_from(("rep", "team")), st.text()
)
def test_a_series_name_tells_its_parts_whatever_the_value_is(measure, part, dim, value):
    assert split_name(series_name(measure, f"{dim}={value}", part)) == (measure, part, dim, value)
    assert split_name(series_name(measure, "", part)) == (measure, part, "", "")


def test_chunks_that_were_added_to_are_told_once_however_many_there_are():
    changed = Changed()
    changed.mark(0, np.array([3, 5, CHUNK]))
    many = 3 * CHUNK * CHUNK
    changed.mark(2, np.array([9 * CHUNK + 1, many]))
    changed.mark(1, np.array([], np.int64))
    assert [changed.take(row) for row in (0, 1, 2)] == [[0, 1], [], [9, many // CHUNK]]
    assert changed.take(0) == changed.take(2) == []


TIMES = 8
"""How often threads meet: a race that is there is seen about every other time."""


def test_a_name_has_one_id_however_many_threads_fill_sums():
    names = [[f"time {time}|rep={number}" for number in range(10_000)] for time in range(TIMES)]
    together = Barrier(THREADS)

    def fill(number: int) -> Sums:
        together.wait()
        return Sums(names[number // THREADS])

    for number, sums in enumerate(at_once(fill, range(THREADS * TIMES))):
        assert sums.names == names[number // THREADS]
        assert [sums.id_of(name) for name in sums.names] == list(range(len(sums)))


def chunk(*columns) -> bytes:
    return msgspec.msgpack.encode(columns)


@pytest.mark.parametrize(
    "packed",
    [
        b"\xc1",
        b"\x91" * 5_000,
        b"\x92\xdd\xff\xff\xff\xff",
        chunk([0], []),
        chunk([], [1]),
        chunk([-1], [1]),
        chunk([0, -1, 2], [1, 1, 1]),
        chunk([CHUNK], [1]),
        chunk([CHUNK - 1, 1], [1, 1]),
        chunk([2**63 - 1, 2**63 - 1], [1, 1]),
        chunk([0], [2**63]),
        chunk([0], ["1"]),
    ],
)
def test_what_is_no_chunk_is_not_taken_for_one(packed):
    with pytest.raises(InvalidStateError):
        unpack(packed)
    with pytest.raises(InvalidStateError):
        unpack_runs([packed_of({1: 1}), packed])
    with pytest.raises(InvalidStateError):
        Sums().set_chunk(0, 0, packed)


@pytest.mark.parametrize("number", [-1, 2**40])
def test_a_chunk_has_a_number_that_there_can_be(number):
    with pytest.raises(InvalidStateError, match="number of none"):
        Sums().set_chunk(0, number, packed_of({1: 1}))
