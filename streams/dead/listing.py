"""Dead letters as rows: by their kinds, or one by one. Nothing of a body is in them."""

from collections import defaultdict
from collections.abc import Iterable

from streams.dead.reading import Entry
from streams.dead_letters import Kind
from streams.inspection.unpacking import Row


def grouped(entries: Iterable[Entry]) -> list[Row]:
    """A row for each kind: how many wait, how many were read when they were sent again, since when, the id of the newest."""
    kinds: defaultdict[Kind, list[Entry]] = defaultdict(list)
    for entry in entries:
        kinds[entry.kind].append(entry)
    rows = [_of_kind(kind, letters) for kind, letters in kinds.items()]
    return sorted(rows, key=lambda row: (-row["waiting"], -row["last_at"]))


def _of_kind(kind: Kind, letters: list[Entry]) -> Row:
    resent = sum(letter.resent_at is not None for letter in letters)
    newest = max(letters, key=lambda letter: letter.received_at)
    return {
        "waiting": len(letters) - resent,
        "resent": resent,
        "connection": kind.connection,
        "where": kind.where,
        "reason": kind.reason,
        "first_at": min(letter.received_at for letter in letters),
        "last_at": newest.received_at,
        "newest": newest.id,
    }


def one_by_one(entries: Iterable[Entry]) -> list[Row]:
    """A row for each, the newest first."""
    return [
        {
            "id": entry.id,
            "connection": entry.kind.connection,
            "received_at": entry.received_at,
            "where": entry.kind.where,
            "reason": entry.kind.reason,
            "resent_at": entry.resent_at,
        }
        for entry in sorted(entries, key=lambda entry: (-entry.received_at, entry.id))
    ]
