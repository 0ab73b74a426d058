"""Of a lead with very many touches, those that matter to what has changed of it.

What a change adds to the totals is found by evaluating the lead before and after it. Of a touch that stands on both sides
nearly all cancels out: it counts where it counted. So it may be left out on both sides, unless it decides about something else:
it is the first of all, answers an inquiry or is answered by a reply, is the last of its rep, team or channel, or lies ahead of
the clock. What has changed and these few are evaluated instead: they give the same difference, and say the same of the lead.

Leads are left as they are where that cannot be so, because all touches count otherwise, as under another segment.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.codes import NEVER, NOBODY, Codes, Ints
from models.measures import WITH_CHANNEL
from models.slices import OF_LEADS, dims_of
from models.state.facts import AUTOMATED, CONNECTED, DELIVERED, NOTHING, REPLY, TOUCH, Facts, leaving_out
from models.story import CALL, Story
from models.tables import Table, zeros
from models.units import Millis

_BLOCK: Final = 1024
"""Touches among which the last one of somebody is looked for at first, from the end on."""


_OWN: Final = ("rep", "team", "channel")
"""The dimensions that touches have of their own."""

_Values: TypeAlias = dict[tuple[str, ...], set[int]]
"""Values of dimensions taken together, as one number each."""


def neighbourhood(old: Facts, new: Facts, codes: Codes, then: Millis, now: Millis) -> tuple[Facts, Facts]:
    """A lead's facts on both sides, without touches that make no difference.

    They are the facts that were counted with the due clock at `then`, and those to be counted with it at `now`, not before.
    """
    if NOTHING in {old, new}:
        return old, new
    before, after = _Side(old, codes, then), _Side(new, codes, now)
    if before.dims != after.dims or (old.owners != new.owners and (before.has_unnamed or after.has_unnamed)):
        return old, new
    changed = _changed(before.rows, after.rows)
    ahead = min(before.story.horizon, after.story.horizon)
    turning = np.unique(np.concatenate((changed, before.since(ahead), after.since(ahead))))
    values = _values(before, after, turning, ahead)
    kept = np.unique(
        np.concatenate([turning, *(side.at[[*side.deciding(), *side.last_of(values)]] for side in (before, after))])
    )
    return before.only(kept), after.only(kept)


class _Side:
    """The facts of the lead at one instant; `story` is theirs without touches."""

    def __init__(self, facts: Facts, codes: Codes, known_until: Millis) -> None:
        self.facts = facts
        self.codes = codes
        self.story = Story([facts._replace(touches=b"")], codes, known_until)
        self.rows = np.frombuffer(facts.touches, TOUCH)
        self.at: Ints = np.ascontiguousarray(self.rows["at"])
        self.flags: NDArray[np.uint8] = np.ascontiguousarray(self.rows["flags"])
        self.channel: NDArray[np.uint8] = np.ascontiguousarray(self.rows["channel"])
        self.human = np.flatnonzero((self.flags & AUTOMATED) == 0)

    @property
    def dims(self) -> list[int]:
        """What the lead itself counts under."""
        return [int(self.story.of_leads[dim][0]) for dim in OF_LEADS]

    @property
    def has_unnamed(self) -> bool:
        """Whether there are touches that count for the lead's owner."""
        return bool((self.rows["rep"] == NOBODY).any())

    def since(self, at: int) -> Ints:
        """The instants of the touches from an instant on."""
        return self.at[np.searchsorted(self.at, at) :]

    def deciding(self) -> Iterator[int]:
        """The places of touches that decide how something else counts."""
        if not len(self.at):
            return
        yield len(self.at) - 1
        reaching = (self.flags & (AUTOMATED | DELIVERED)) != AUTOMATED
        yield int(np.argmax(reaching))
        inquiries = self.story.inquiries.at
        calls = self.human[(self.channel[self.human] == CALL) & ((self.flags[self.human] & CONNECTED) > 0)]
        for places in (self.human, calls):
            yield from _first_from(places, np.concatenate(([0], np.searchsorted(self.at, inquiries))))
        yield from self._answered()

    def _answered(self) -> Iterator[int]:
        """The touches of which replies answer one: that which each names, the latest on its channel, the latest at all."""
        replies = self.story.human_replies
        until = np.searchsorted(self.at, replies.at, side="right")
        yield from replies.answers[replies.answers >= 0].tolist()
        yield from (until[until > 0] - 1).tolist()
        for channel in set(replies.channel.tolist()):
            yield from _last_before(np.flatnonzero(self.channel == channel), until[replies.channel == channel])

    def human_at(self, instants: Ints) -> Ints:
        """The places of the touches by a person at some instants."""
        places = self.at_any(instants)
        human: Ints = places[(self.flags[places] & AUTOMATED) == 0]
        return human

    def at_any(self, instants: Ints) -> Ints:
        """The places of the touches at some instants."""
        return _ranges(np.searchsorted(self.at, instants), np.searchsorted(self.at, instants, side="right"))

    def of(self, places: Ints) -> dict[str, Ints]:
        """By whom, of which team and on which channel some touches were."""
        rows, channel = self.rows[places], self.channel[places].astype(np.int64)
        table = Table(1, zeros(len(places)), self.at[places])
        found = self.story.acted(table, rows["rep"].astype(np.int64), channel)
        return {"rep": found.rep, "team": found.team, "channel": channel}

    def of_held(self) -> dict[str, Ints]:
        """The same of the meetings that were held, but for the channel."""
        found = self.story.acted(self.story.meetings_held, self.story.meetings_held.rep)
        return {"rep": found.rep, "team": found.team}

    def last_of(self, values: _Values) -> Iterator[int]:
        """The last touch by a person, before the clock's pane ends, of each of some values of dimensions taken together."""
        wanted = {dims: set(of) for dims, of in values.items()}
        end, size = int(np.searchsorted(self.human, np.searchsorted(self.at, self.story.horizon))), _BLOCK
        while end > 0 and any(wanted.values()):
            places = self.human[max(0, end - size) : end]
            by = self.of(places)
            for dims, of in wanted.items():
                found = _coded(by, dims, self.codes)
                for value in of.intersection(found[np.isin(found, list(of))].tolist()) if of else ():
                    yield int(places[np.flatnonzero(found == value)[-1]])
                    of.discard(value)
            end, size = end - size, 2 * size

    def only(self, instants: Ints) -> Facts:
        """The facts with touches of some instants only."""
        kept = self.at_any(instants)
        replies = np.frombuffer(self.facts.replies, REPLY).copy()
        places = np.minimum(np.searchsorted(kept, replies["answers"]), max(0, len(kept) - 1))
        replies["answers"] = np.where(np.isin(replies["answers"], kept), places, -1)
        return leaving_out(self.facts, self.rows[kept].tobytes(), replies.tobytes(), self._left_out(kept))

    def _left_out(self, kept: Ints) -> int:
        """How many touches by a person that are not kept were needed until the follow-up ended."""
        ended_at = int(self.story.followed_up_until[0])
        until = np.searchsorted(self.at, ended_at, side="right")
        human = (self.flags[:until] & AUTOMATED) == 0
        return 0 if ended_at == NEVER else int(np.count_nonzero(human)) - int(np.count_nonzero(human[kept[kept < until]]))


def _values(before: _Side, after: _Side, turning: Ints, ahead: int) -> _Values:
    """What touches of some instants, and meetings held that turn likewise, count under beside what the lead itself does."""
    sides, codes = (before, after), before.codes
    touches = _joined(*(side.of(side.human_at(turning)) for side in sides))
    meetings = _joined(*(side.of_held() for side in sides)) if _meetings_turn(before, after, ahead) else {}
    values: _Values = {}
    for each in codes.slices(WITH_CHANNEL):
        dims = tuple(dim for dim in dims_of(each) if dim in _OWN)
        values[dims] = set(_coded(touches, dims, codes).tolist())
        if meetings and "channel" not in dims:  # no touch has theirs
            values[dims].update(_coded(meetings, dims, codes).tolist())
    return values


def _joined(*parts: dict[str, Ints]) -> dict[str, Ints]:
    return {dim: np.concatenate([part[dim] for part in parts]) for dim in parts[0]}


def _meetings_turn(before: _Side, after: _Side, ahead: int) -> bool:
    """Whether other meetings were held on both sides, or some lie ahead of the clock."""
    old, new = before.story.meetings_held, after.story.meetings_held
    alike = len(old) == len(new) and bool((old.at == new.at).all() and (old.rep == new.rep).all())
    return not alike or bool((new.at >= ahead).any())


def _coded(by: dict[str, Ints], dims: tuple[str, ...], codes: Codes) -> Ints:
    """Values of dimensions taken together, as one number; of none as 0."""
    coded = np.zeros(len(by["rep"]), np.int64)
    for dim in dims:
        coded = coded * codes.width(dim) + by[dim]
    return coded


def _changed(old: NDArray[Any], new: NDArray[Any]) -> Ints:
    """The instants at which other touches stand in two tables."""
    start, end = _common(old, new)
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    return np.concatenate([mine["at"][~_stands(mine, theirs)] for mine, theirs in ((old, new), (new, old))])


def _common(old: NDArray[Any], new: NDArray[Any]) -> tuple[int, int]:
    """How many rows two tables have in common at the start, and of the others at the end."""
    count = min(len(old), len(new))
    start = _alike(old[:count], new[:count])
    rest = count - start
    end = _alike(old[len(old) - rest :][::-1], new[len(new) - rest :][::-1])
    return start, end


def _alike(old: NDArray[Any], new: NDArray[Any]) -> int:
    """How many rows are alike before the first that are not."""
    differ = old != new
    return int(np.argmax(differ)) if differ.any() else len(old)


def _stands(mine: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows stand in the other table, too, at the same place among those of their instant."""
    if not len(theirs):
        return np.zeros(len(mine), np.bool_)
    at = np.ascontiguousarray(mine["at"])
    rank = np.arange(len(mine)) - np.searchsorted(at, at)
    place = np.searchsorted(np.ascontiguousarray(theirs["at"]), at) + rank
    stands: NDArray[np.bool_] = (place < len(theirs)) & (theirs[np.minimum(place, len(theirs) - 1)] == mine)
    return stands


def _first_from(places: Ints, bounds: Ints) -> Iterator[int]:
    """The first of ascending places at or after each bound, where there is one."""
    found = np.searchsorted(places, bounds)
    yield from places[found[found < len(places)]].tolist()


def _last_before(places: Ints, bounds: Ints) -> Iterator[int]:
    """The last of ascending places before each bound, where there is one."""
    found = np.searchsorted(places, bounds)
    yield from places[found[found > 0] - 1].tolist()


def _ranges(low: Ints, high: Ints) -> Ints:
    """All numbers from each lower bound to the upper one."""
    counts = high - low
    starts = np.repeat(low - (np.cumsum(counts) - counts), counts)
    return starts + np.arange(len(starts))
