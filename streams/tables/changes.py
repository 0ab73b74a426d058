"""What the publisher reads: the totals of a partition that have changed since it last looked."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from streams.errors import Retry
from streams.tables.keys import Keys
from streams.tables.rows import Applied, Waiting, decode_applied, decode_waiting
from streams.tables.server import QUIETER, Redis, load_script, reaching, run_script

_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """Up to where a reader knows a partition; as it stands, a reader that knows nothing."""

    token: str = ""
    generation: int = 0
    seq: int = -1
    series: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """The changes, None standing for what is gone, and `seen` for the next time.

    `whole`: these are all totals, and what the reader remembers of the partition is void: another generation, or another
    owner, who may have begun from an older copy. `series` are the names from the id on that the reader knew up to, or all.
    """

    applied: Applied
    seen: Seen
    whole: bool
    series: list[str]
    windows: dict[str, dict[int, bytes | None]] = field(default_factory=dict)
    levels: dict[int, bytes | None] = field(default_factory=dict)
    oldest: dict[str, Waiting | None] = field(default_factory=dict)


async def read_changes(redis: Redis, keys: Keys, windows: Sequence[str], seen: Seen) -> Changed | None:
    """The changes since `seen` in the given windows, the levels and the oldest clocks, as of one instant.

    `keys` of any generation. None where nobody has claimed the partition. Raises Retry.
    """
    changed: Changed | None = None
    while True:
        page = await _read_page(redis, keys, windows, seen)
        if page is None:
            return None
        further, series = page
        changed = further if changed is None or further.whole else _joined(changed, further)
        seen = changed.seen
        if seen.series >= series:
            return changed


async def _read_page(redis: Redis, keys: Keys, windows: Sequence[str], seen: Seen) -> tuple[Changed, int] | None:
    """Changes with the first of the new names, and how many series there are."""
    for _ in range(_ATTEMPTS):
        kind, fields, *rest = await _ask(redis, keys.of(seen.generation), windows, seen)
        if not fields:
            return None
        applied = decode_applied(dict(zip(fields[::2], fields[1::2], strict=True)), keys.applied)
        if kind != b"GENERATION":
            with reaching(keys.applied):
                return _changed(applied, rest, seen, whole=kind == b"WHOLE"), rest[-1]
        seen = Seen(generation=applied.progress.generation)
    raise Retry(keys.applied, "its generation changes faster than it is read", QUIETER)


async def _ask(redis: Redis, keys: Keys, windows: Sequence[str], seen: Seen) -> Any:
    names = [keys.applied, keys.changed, keys.series, keys.level, keys.oldest, *(keys.window(name) for name in windows)]
    args: list[str | int] = [seen.token, seen.generation, seen.seq, seen.series, *windows]
    with reaching(keys.applied):
        return await run_script(redis, load_script("streams.tables", "changes.lua"), names, args)


def _changed(applied: Applied, answer: list[Any], seen: Seen, *, whole: bool) -> Changed:
    tables, names, _ = answer
    known = 0 if whole else seen.series
    changed = Changed(
        applied=applied,
        seen=Seen(applied.token, applied.progress.generation, applied.seq, known + len(names)),
        whole=whole,
        series=[name.decode() for name in names],
    )
    for table, fields, values in tables:
        _sort_in(changed, table.decode(), zip(fields, values, strict=True))
    return changed


def _joined(earlier: Changed, later: Changed) -> Changed:
    windows = {name: earlier.windows.get(name, {}) | later.windows.get(name, {}) for name in (earlier.windows | later.windows)}
    return replace(
        later,
        whole=earlier.whole,
        series=earlier.series + later.series,
        windows=windows,
        levels=earlier.levels | later.levels,
        oldest=earlier.oldest | later.oldest,
    )


def _sort_in(changed: Changed, table: str, values: "zip[tuple[bytes, bytes | None]]") -> None:
    if table == "o":
        changed.oldest.update((name.decode(), decode_waiting(packed) if packed else None) for name, packed in values)
    elif table == "l":
        changed.levels.update((int(number), packed) for number, packed in values)
    else:
        changed.windows[table.removeprefix("w:")] = {int(number): packed for number, packed in values}
