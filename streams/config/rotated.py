"""Secrets that can be exchanged while a process runs: which files they lie in, and what these hold now."""

import os
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Final

from streams.config.loading import CONFIG, folder_of, judged, read_raw
from streams.config.secrets import secret_files
from streams.config.settings import Settings

ROTATED: Final = ("connections", "api_tokens")
"""The sections whose secrets these are."""


class SecretFiles:
    """The files that connections and API tokens have their secrets from, as the same settings name them now.

    `before` is what they held then: whoever loads settings behind this misses no change.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self._path = path or os.environ.get(CONFIG) or None
        self._raw = {name: section for name, section in read_raw(self._path).items() if name in ROTATED}
        self.paths = tuple(secret_files(self._raw, folder_of(self._path)))
        self.before = self.digests()

    def digests(self) -> tuple[bytes, ...]:
        """What the files hold, told apart and no more; of one that cannot be read nothing."""
        return tuple(sha256(_content(path)).digest() for path in self.paths)

    def read(self) -> Settings:
        """Connections and API tokens with what their files hold now. Raises Fatal as `load` does."""
        return judged(deepcopy(self._raw), self._path)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
