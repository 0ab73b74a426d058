"""Sums and cells: columns of integers by series, their chunks, their names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.panes import Cells
from models.sums import CHUNK, LEVEL_ROW, Changed, Sums, merge, pack, series_name, split_name, unpack
from models.windows import Pane

HOUR = Pane.HOUR
AMOUNTS = st.one_of(st.integers(-3, 3), st.integers(-(2**53), 2**53))
COLUMN = st.dictionaries(st.integers(0, CHUNK - 1), AMOUNTS)
ENTRIES = st.lists(st.tuples(st.integers(0, 4 * CHUNK), AMOUNTS))
NAMES = st.lists(st.text("abc", min_size=1, max_size=3), unique=True)


def column_of(cells: dict[int, int]):
    ids = sorted(cells)
    return np.array(ids, np.int64), np.array([cells[each] for each in ids], np.int64)


def read(cells: Cells) -> dict[int, int]:
    ids, amounts = cells.columns()
    assert len(set(ids.tolist())) == len(ids)
    return dict(zip(ids.tolist(), amounts.tolist(), strict=True))


def put(cells, *entries):
    if entries:
        cells.add(*(np.array(column, np.int64) for column in zip(*entries, strict=True)))


def added(entries):
    total: dict[int, int] = {}
    for series, amount in entries:
        total[series] = total.get(series, 0) + amount
    return {series: amount for series, amount in total.items() if amount}


@given(COLUMN)
def test_a_packed_chunk_gives_back_what_it_was_made_of(cells):
    offsets, amounts = unpack(pack(*column_of(cells)))
    assert dict(zip(offsets.tolist(), amounts.tolist(), strict=True)) == cells


def test_a_chunk_without_anything_is_no_bytes_at_all():
    assert pack(*column_of({})) == b""
    assert [column.tolist() for column in unpack(b"")] == [[], []]


@given(ENTRIES)
def test_cells_hold_what_was_added(entries):
    cells = Cells(HOUR)
    put(cells, *entries)
    assert read(cells) == added(entries)


@given(ENTRIES, ENTRIES)
def test_cells_go_on_from_what_was_cut_and_tell_what_changed_since(before, after):
    cells = Cells(HOUR)
    for series, amount in before:
        put(cells, (series, amount))
    stored = {number: chunk for number, chunk in cells.cut().items() if chunk}
    again = Cells(HOUR, stored)
    assert again.cut() == {}
    for series, amount in after:
        put(again, (series, amount))
        put(cells, (series, amount))
    assert read(again) == read(cells) == added(before + after)
    changes = again.cut()
    assert changes == cells.cut()
    assert set(changes) == {series // CHUNK for series, _ in after}
    stored = {number: chunk for number, chunk in (stored | dict(changes)).items() if chunk}
    assert read(Cells(HOUR, stored)) == added(before + after)


def test_cells_that_are_read_in_between_still_tell_what_changed():
    cells = Cells(HOUR)
    put(cells, (CHUNK + 3, 5))
    read(cells)
    put(cells, (CHUNK + 3, -5))
    assert read(cells) == {}
    assert cells.cut() == {1: b""}


def test_cells_that_have_not_changed_since_they_were_cut_lie_packed_only():
    cells = Cells(HOUR)
    put(cells, (3, 5))
    cells.cut()
    assert (cells.cut(), cells._open, len(cells._packed)) == ({}, None, 1)


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


@given(st.lists(NAMES, max_size=4), st.data())
def test_a_merge_is_the_sum_by_name(parts, data):
    expected: dict[str, int] = {}
    sums = []
    for names in parts:
        part = Sums(names)
        for name in names:
            amount = data.draw(AMOUNTS)
            part.values[1, part.id_of(name)] = amount
            expected[name] = expected.get(name, 0) + amount
        sums.append(part)
    merged = merge(sums)
    assert {name: int(merged.values[1, merged.ids[name]]) for name in merged.names} == expected


def test_the_merge_of_nothing_is_nothing():
    assert list(merge([]).nonzero()) == []
    assert list(merge([Sums()]).nonzero()) == []


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
