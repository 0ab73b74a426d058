"""How a worker's process keeps its memory: garbage is looked for seldom, what is freed is used again, or given back."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_USUALLY: Final = (50_000, 20, 20)
"""When Python looks for garbage in cycles: there is little, and it would look through all leads again and again."""

_SELDOM: Final = (200_000, 50, 100)
"""The same while millions of objects come and go of which none are in cycles."""

_ARENA_MAX: Final = -8
"""The name of glibc's parameter for how many heaps there are, in its malloc.h."""

_MMAP_THRESHOLD: Final = -3
"""The name of glibc's parameter for what lies outside of the heap, in its malloc.h."""

_TRIM_THRESHOLD: Final = -1
"""The name of glibc's parameter for how much the heap holds unused before it gives any back, in its malloc.h."""

_SPARE: Final = 32 * 2**20
"""Bytes that the heap may hold unused: what arithmetic frees it takes again at once."""

_LARGE: Final = 8 * 2**20
"""Bytes from which on something lies outside of the heap: columns of a million cells are given back when they are freed."""


def settle_in() -> None:
    """Set a worker's process up, before it starts threads; what is there already is never looked through again.

    By default glibc gives each thread a heap of its own, and what one has freed no other uses: with arithmetic in threads that
    took a quarter more memory, and no less time. It also takes ever larger things into a heap, where small ones that live on
    come to lie behind them. Other C libraries have no such parameters.
    """
    gc.freeze()
    gc.set_threshold(*_USUALLY)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _SPARE)


def give_back() -> None:
    """Give what the heap holds unused back to the system, after work that took much."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Within, garbage in cycles is looked for seldom: looking takes longer than the work that makes none."""
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*_USUALLY)
