"""What is wrong with a file of settings, as `load` tells it."""

from pathlib import Path

import pytest

from streams.config import load
from streams.errors import Fatal


def mistakes(path: Path | None = None) -> list[str]:
    """What `load` complains about, one line a mistake, without the file's name."""
    with pytest.raises(Fatal) as caught:
        load(path)
    _, *lines = caught.value.what.split("\n  ")
    return [line.replace(f"{path}: ", "") for line in lines]
