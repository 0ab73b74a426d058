"""Answers to heartbeats as no client expects them."""

from collections import deque
from struct import Struct
from typing import Final

HEARTBEAT: Final = 12
"""The number of the request in Kafka's protocol."""

FLEXIBLE: Final = 4
"""From this version of it on, answers end with a byte more."""

UNKNOWN_ERROR: Final = 82
"""FENCED_INSTANCE_ID: it is not among the errors that aiokafka knows of a heartbeat."""

_REQUEST: Final = Struct(">ihhi")
_ANSWER: Final = Struct(">ii")
_SIZE: Final = 4
_LONGEST: Final = 32


class Spoiler:
    """Has the heartbeats of a consumer group answered with an error. Each comes, and is answered, in one piece."""

    def __init__(self, group: bytes) -> None:
        self._group = group
        self._asked: deque[tuple[int, int]] = deque(maxlen=100)
        self.spoiled = 0

    def sees(self, request: bytes) -> None:
        """Note the heartbeats of the group."""
        if len(request) < _REQUEST.size:
            return
        size, number, version, correlation = _REQUEST.unpack_from(request)
        if size == len(request) - _SIZE and number == HEARTBEAT and self._group in request:
            self._asked.append((correlation, version))

    def alters(self, answer: bytes) -> bytes:
        """The answer to one of them with the error; any other as it is."""
        if not _ANSWER.size < len(answer) <= _LONGEST:
            return answer
        size, correlation = _ANSWER.unpack_from(answer)
        version = next((version for asked, version in self._asked if asked == correlation), None)
        if version is None or size != len(answer) - _SIZE:
            return answer
        self.spoiled += 1
        end = len(answer) - (1 if version >= FLEXIBLE else 0)
        return answer[: end - 2] + UNKNOWN_ERROR.to_bytes(2, "big") + answer[end:]
