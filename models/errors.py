"""What can be wrong with what we are given, told as where it is, what it is and what to do."""

from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, KeyError, IndexError, OverflowError, RecursionError)
"""What reading raises of bytes that say something else than they should: they may be anything, however deep."""


class LeadbeatError(Exception):
    """Base of all errors that Leadbeat raises on purpose.

    `where` names the place (a field path, a file and key, a topic), `what` the fault, `todo` the way out.
    """

    def __init__(self, where: str, what: str, todo: str = "") -> None:
        super().__init__(where, what, todo)
        self.where = where
        self.what = what
        self.todo = todo

    def __str__(self) -> str:
        advice = f" ({self.todo})" if self.todo else ""
        return f"{self.where}: {self.what}{advice}"


class InvalidEventError(LeadbeatError):
    """An event that cannot be read or believed; it belongs in the dead letters."""


class InvalidRulesError(LeadbeatError):
    """Rules that contradict themselves or name what does not exist."""


class InvalidStateError(LeadbeatError):
    """What is stored of a partition that this version has not packed."""

    def __init__(self, where: str, error: Exception) -> None:
        super().__init__(where, f"is not what this version packs: {error}", "find out who else writes under this prefix")


class InvalidKpisError(LeadbeatError):
    """An organisation's own KPIs that cannot be taken into the catalogue."""
