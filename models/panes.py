"""The cells of one pane: an amount per series, kept packed by chunk until they are changed."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from models.sums import CHUNK, Chunks, pack, unpack


class Cells:
    """A sparse column of integers by series id. Only chunks being changed are unpacked, so that old panes stay small."""

    def __init__(self, packed: Chunks | None = None) -> None:
        self._packed: dict[int, bytes] = dict(packed or {})
        self._open: dict[int, dict[int, int]] = {}
        self._changed: set[int] = set()

    def add(self, ids: Iterable[int], amounts: Iterable[int]) -> None:
        """Add an amount to each of some series."""
        for series, amount in zip(ids, amounts, strict=True):
            number, offset = divmod(series, CHUNK)
            cells = self._open.get(number)
            if cells is None:
                cells = self._open[number] = self._unpacked(number)
            cells[offset] = cells.get(offset, 0) + amount
            self._changed.add(number)

    def _unpacked(self, number: int) -> dict[int, int]:
        offsets, amounts = unpack(self._packed.get(number, b""))
        return dict(zip(offsets.tolist(), amounts.tolist(), strict=True))

    def columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All ids and amounts; an id occurs once."""
        self._pack()
        parts = [(number, *unpack(packed)) for number, packed in self._packed.items()]
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        ids = np.concatenate([offsets + number * CHUNK for number, offsets, _ in parts])
        return ids, np.concatenate([amounts for _, _, amounts in parts])

    def cut(self) -> Chunks:
        """The chunks changed since the last cut, packed."""
        self._pack()
        chunks = {number: self._packed.get(number, b"") for number in self._changed}
        self._changed.clear()
        return chunks

    def _pack(self) -> None:
        for number, cells in self._open.items():
            offsets = np.array(sorted(cells), np.int64)
            packed = pack(offsets, np.array([cells[offset] for offset in offsets.tolist()], np.int64))
            if packed:
                self._packed[number] = packed
            else:
                self._packed.pop(number, None)
        self._open.clear()
