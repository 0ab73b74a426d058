"""Sums by series: an integer per window and a level for each series, and their packed chunks.

A series is a measure (or a part of a duration: `#sum`, `#n`, `#b<bucket>`) in a slice, named `measure|dim=value`; the whole has
no `|`. Ids are dense from 0 within one partition's generation. Chunks hold 256 series, zeros left out.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.errors import UNREADABLE, InvalidStateError
from models.windows import WINDOWS

CHUNK = 256
"""Series to a chunk."""

MOST_CHUNKS = 2**16
"""Of a row, which has millions of series then."""

LEVEL_ROW = len(WINDOWS)
"""The row of levels, behind those of the windows."""

_numbers: dict[str, tuple[int, str]] = {}
_next_number = count().__next__
"""A number for each name, and one string, for all partitions: they have much the same names, under ids of their own.

No name is forgotten, as codes are not either. A name gets its number in one step: partitions are filled in several threads.
"""

_ROWS = LEVEL_ROW + 1
_NO_ID = -1
_SPARE = 1024
"""How many further names' ids there is room for at once."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[int], list[int]]).decode


def pack_runs(offsets: NDArray[np.int64], amounts: NDArray[np.int64], counts: NDArray[np.int64]) -> Iterator[bytes]:
    """Chunks, one after the other in the columns; `counts` says how many entries each has.

    Each becomes its ascending offsets, delta-coded, and their amounts, none of them 0; empty bytes where there is none.
    """
    ends = counts.cumsum()
    deltas = offsets.copy()
    deltas[1:] -= offsets[:-1]
    firsts = (ends - counts)[counts > 0]
    deltas[firsts] = offsets[firsts]
    given, worth, low = deltas.tolist(), amounts.tolist(), 0
    for high in ends.tolist():
        yield _encode((given[low:high], worth[low:high])) if high > low else b""
        low = high


def unpack(packed: bytes, width: int = CHUNK) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A chunk's offsets, all below a width, and amounts. Raises InvalidStateError."""
    if not packed:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    try:
        deltas, worth = _decode(packed)
        offsets, amounts = np.array(deltas, np.int64).cumsum(), np.array(worth, np.int64)
    except UNREADABLE as error:
        raise InvalidStateError("chunk", error) from None
    if len(offsets) != len(amounts) or (deltas and not 0 <= min(deltas) <= max(deltas) <= offsets[-1] < width):
        raise _not_below(width)
    return offsets, amounts


def unpack_runs(chunks: Sequence[bytes], width: int = CHUNK) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """What `pack_runs` packed, none of it empty: offsets and amounts of one chunk after the other, and how many each has.

    Raises InvalidStateError, also for offsets that are not below a width.
    """
    try:
        runs = [_decode(packed) for packed in chunks]
        counts = np.array([len(deltas) for deltas, _ in runs], np.int64)
        deltas = np.fromiter(chain.from_iterable(deltas for deltas, _ in runs), np.int64)
        amounts = np.fromiter(chain.from_iterable(amounts for _, amounts in runs), np.int64)
    except UNREADABLE as error:
        raise InvalidStateError("chunk", error) from None
    ends = deltas.cumsum()
    before = np.concatenate((_NO_SUM, ends))[counts.cumsum() - counts]
    offsets = ends - np.repeat(before, counts)
    of_amounts = [len(amounts) for _, amounts in runs]
    if of_amounts != counts.tolist() or ((deltas < 0) | (deltas >= width) | (offsets >= width)).any():
        raise _not_below(width)
    return offsets, amounts, counts


def _not_below(width: int) -> InvalidStateError:
    return InvalidStateError("chunk", ValueError(f"not all of its offsets are below {width}, with an amount each"))


_NO_SUM = np.zeros(1, np.int64)


class Sums:
    """The totals of a set of series: row per window, last row levels; column per series."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names: list[str] = []
        self._ids = array("i")
        self.values: NDArray[np.int64] = np.zeros((_ROWS, CHUNK), np.int64)
        for name in names:
            self.id_of(name)

    def __len__(self) -> int:
        """How many series there are."""
        return len(self.names)

    def id_of(self, name: str) -> int:
        """The id of a series; a new one gets the next."""
        number, name = _numbers.get(name) or _numbers.setdefault(name, (_next_number(), name))
        if number >= len(self._ids):
            self._ids.extend([_NO_ID] * (number + _SPARE - len(self._ids)))
        found = self._ids[number]
        if found == _NO_ID:
            found = self._ids[number] = len(self.names)
            self.names.append(name)
            self._reserve(found + 1)
        return found

    def _reserve(self, count: int) -> None:
        size = self.values.shape[1]
        if count > size:
            grown = np.zeros((_ROWS, -(-max(size + size // 4, count) // CHUNK) * CHUNK), np.int64)
            grown[:, :size] = self.values
            self.values = grown

    def chunks(self, row: int, numbers: Sequence[int]) -> dict[int, bytes]:
        """Some chunks of a row, packed; `numbers` ascend."""
        if not numbers:
            return {}
        first = numbers[0] * CHUNK
        found = np.flatnonzero(self.values[row, first : (numbers[-1] + 1) * CHUNK]) + first
        chosen = np.array(numbers, np.int64)
        asked = np.zeros(numbers[-1] + 1, np.bool_)
        asked[chosen] = True
        found = found[asked[found // CHUNK]]
        counts = np.bincount(found // CHUNK, minlength=numbers[-1] + 1)[chosen]
        return dict(zip(numbers, pack_runs(found % CHUNK, self.values[row, found], counts), strict=True))

    def set_chunk(self, row: int, number: int, packed: bytes) -> None:
        """Replace a chunk of a row by a packed one. Raises InvalidStateError."""
        if not 0 <= number < MOST_CHUNKS:
            raise InvalidStateError("chunk", ValueError(f"{number} is the number of none"))
        self._reserve((number + 1) * CHUNK)
        part = self.values[row, number * CHUNK : (number + 1) * CHUNK]
        part[:] = 0
        offsets, amounts = unpack(packed)
        part[offsets] = amounts

    def nonzero(self) -> Iterator[tuple[str, list[int]]]:
        """Each series that is not 0 throughout, with its row of values, levels last."""
        used = self.values[:, : len(self.names)]
        for column in np.flatnonzero(used.any(axis=0)).tolist():
            yield self.names[column], used[:, column].tolist()


class Changed:
    """Which chunks of which rows have been added to."""

    def __init__(self) -> None:
        self._marks: NDArray[np.bool_] = np.zeros((_ROWS, CHUNK), np.bool_)

    def mark(self, row: int, ids: NDArray[np.int64]) -> None:
        """Some series of a row were added to."""
        numbers = ids // CHUNK
        while len(ids) and numbers.max() >= self._marks.shape[1]:
            self._marks = np.concatenate((self._marks, np.zeros_like(self._marks)), axis=1)
        self._marks[row, numbers] = True

    def take(self, row: int) -> list[int]:
        """The numbers of the chunks of a row that were added to since they were last taken."""
        numbers: list[int] = np.flatnonzero(self._marks[row]).tolist()
        self._marks[row] = False
        return numbers


def series_name(measure: str, name: str, part: str = "") -> str:
    """The name of a measure, or of a part of it, in a slice."""
    head = f"{measure}#{part}" if part else measure
    return f"{head}|{name}" if name else head


def split_name(series: str) -> tuple[str, str, str, str]:
    """A series' measure, part, dimension and value; the last two are empty for the whole."""
    head, _, name = series.partition("|")
    measure, _, part = head.partition("#")
    dim, _, value = name.partition("=")
    return measure, part, dim, value


Chunks = Mapping[int, bytes]
"""Chunk number to packed chunk; an empty one means that it is gone."""
