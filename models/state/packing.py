"""Rows of facts as bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def packed(rows: Sequence[tuple[int, ...]], layout: "np.dtype[Any]") -> bytes:
    """Rows in the order of what they say; most often there are none, which costs nothing."""
    return np.array(sorted(rows), layout).tobytes() if rows else b""
