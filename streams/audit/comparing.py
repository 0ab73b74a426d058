"""The totals of a partition as they are stored against those that were made anew: pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from models.codes import Codes, Ints
from models.errors import InvalidStateError
from models.rollup import Stored, Totals
from models.state.lead import unpack
from models.sums import LEVEL_ROW, Sums
from models.units import Millis, isoformat
from models.windows import NOW, WINDOWS, Pane
from streams.audit.added_up import AddedUp
from streams.audit.findings import Differences
from streams.audit.from_states import without_pages
from streams.errors import Fatal
from streams.processing.open_clocks import OpenClocksCut
from streams.processing.writes import open_of
from streams.tables import OpenClock
from streams.tables.still import Still

NOBODY: Final = "nobody waits"
NOTHING: Final = "nothing"

_ROWS: Final = (*(window.name for window in WINDOWS), NOW)


def compare_totals(partition: int, still: Still, derived: AddedUp, codes: Codes, found: Differences) -> int:
    """Compare all that a partition's totals say. Gives how many series there are in either."""
    stored = _loaded(still, codes)
    windows, expected = dict(stored.sums.nonzero()), dict(derived.totals.sums.nonzero())
    nothing = [0] * (LEVEL_ROW + 1)
    for series in sorted(windows.keys() | expected.keys()):
        here, there = windows.get(series, nothing), expected.get(series, nothing)
        if here != there:
            for window, mine, theirs in zip(_ROWS, here, there, strict=True):
                if mine != theirs:
                    found.add(partition, series, window, mine, theirs)
    in_panes = _compare_panes(partition, stored, derived.totals, found)
    _compare_waiting(partition, still, derived, found)
    for measure in sorted(still.members.keys() | derived.members.keys()):
        mine, theirs = still.members.get(measure, 0), derived.members.get(measure, 0)
        if mine != theirs:
            found.add(partition, f"members of {measure}", "all", mine, theirs)
    return len(windows.keys() | expected.keys() | in_panes)


def _loaded(still: Still, codes: Codes) -> Totals:
    clock = still.applied.progress.clock
    # What has no name differs from anything that has one; such a chunk is nobody's of ours.
    width = max(still.series, default=-1) + 1
    names = [still.series.get(number, f"series {number} without a name") for number in range(width)]
    panes = {(Pane(pane.size), Millis(pane.start)): chunks for pane, chunks in still.panes.items()}
    try:
        stored = Totals.load(codes, None if clock is None else Millis(clock), Stored(names, still.windows, still.levels, panes))
        _name_all(stored.sums)
        for pane, kept in stored.panes.items():
            for ids, _ in kept.columns(start for size, start in panes if size is pane):
                _name_all(stored.sums, int(ids.max(initial=-1)) + 1)
    except InvalidStateError as error:
        raise Fatal("totals", f"hold what is no chunk of ours: {error.what}", error.todo) from None
    return stored


def _name_all(sums: Sums, width: int = 0) -> None:
    """Give a name to what has none, so that it is seen."""
    used = np.flatnonzero(sums.values.any(axis=0))
    for number in range(len(sums), max(width, int(used.max(initial=-1)) + 1)):
        sums.id_of(f"series {number} without a name")


def _compare_panes(partition: int, stored: Totals, derived: Totals, found: Differences) -> set[str]:
    """Compare what each pane holds; gives the names of all series that any does."""
    names: set[str] = set()
    ids = np.array([derived.sums.id_of(name) for name in stored.sums.names], np.int64)
    for pane in Pane:
        mine, theirs = stored.panes[pane], derived.panes[pane]
        here, there = set(mine), set(theirs)
        used: set[int] = set()
        for start in sorted(here | there):
            known = mine.columns([start])[0] if start in here else _NO_COLUMN
            own, amounts = ids[known[0]], known[1]
            order = np.argsort(own)
            column = own[order], amounts[order]
            expected = theirs.columns([start])[0] if start in there else _NO_COLUMN
            used.update(column[0].tolist(), expected[0].tolist())
            if not (np.array_equal(column[0], expected[0]) and np.array_equal(column[1], expected[1])):
                _tell_pane(f"{pane.value} pane of {isoformat(start)}", partition, column, expected, derived.sums.names, found)
        names.update(derived.sums.names[number] for number in used)
    return names


_NONE: Final = np.empty(0, np.int64)
_NO_COLUMN: Final = (_NONE, _NONE)


def _tell_pane(
    pane: str, partition: int, stored: tuple[Ints, Ints], derived: tuple[Ints, Ints], names: list[str], found: Differences
) -> None:
    here, there = (dict(zip(*(column.tolist() for column in each), strict=True)) for each in (stored, derived))
    for number in sorted(here.keys() | there.keys()):
        mine, theirs = here.get(number, 0), there.get(number, 0)
        if mine != theirs:
            found.add(partition, names[number], pane, mine, theirs)


def _compare_waiting(partition: int, still: Still, derived: AddedUp, found: Differences) -> None:
    expected: Mapping[OpenClock, int | None] = open_of(OpenClocksCut({}, derived.waiting, {}))
    here, there = _by_subject(still.open.items()), _by_subject(expected.items())
    for subject in sorted(here.keys() | there.keys()):
        mine, theirs = here.get(subject, []), there.get(subject, [])
        if mine != theirs:
            found.add(partition, f"open clock of {subject}", NOW, mine or NOBODY, theirs or NOBODY)
    for name in sorted(still.oldest.keys() | derived.oldest.keys()):
        oldest, first = still.oldest.get(name), derived.oldest.get(name)
        if (oldest and tuple(oldest)) != (first and tuple(first)):
            found.add(partition, f"oldest open clock of {name or 'all'}", NOW, oldest or NOBODY, first or NOBODY)


def _by_subject(clocks: Iterable[tuple[OpenClock, int | None]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for clock, since in clocks:
        found.setdefault(clock.subject, []).append((since, *clock[1:]))
    return {subject: sorted(each, key=repr) for subject, each in found.items()}


def compare_leads(
    partition: int, stored: Mapping[str, bytes | None], derived: Mapping[str, bytes | None], found: Differences
) -> None:
    """Compare what is known of some leads, part by part."""
    for subject in sorted(stored.keys() | derived.keys()):
        here, there = parts_of(stored.get(subject)), parts_of(derived.get(subject))
        _drop_retired(here, there)
        for part in sorted(here.keys() | there.keys()):
            if here.get(part) != there.get(part):
                found.add(partition, f"lead {subject}", part, here.get(part, NOTHING), there.get(part, NOTHING))


def parts_of(packed: bytes | None) -> dict[str, Any]:
    """What is known of a lead, by field and object; of one that was erased nothing is. What was told of it is left out."""
    if packed is None:
        return {}
    lead = without_pages(unpack(packed)[0])
    if lead.erased:
        return {}
    own = {name: getattr(lead, name) for name in ("record", "owner", "stage", "retired_until")}
    known = {name: content for name, content in own.items() if content}
    return {**known, **{f"absorbed {channel}": each for channel, each in lead.absorbed.items()}, **lead.objects}


_OF_THE_LEAD: Final = frozenset({"record", "owner", "stage"})


def _drop_retired(here: dict[str, Any], there: dict[str, Any]) -> None:
    """Where one of two has been retired, leave out what that depends on: after other rules it comes at another time."""
    if here.get("retired_until") != there.get("retired_until"):
        for parts in (here, there):
            for name in [name for name in parts if name not in _OF_THE_LEAD and not name.startswith("absorbed ")]:
                del parts[name]
