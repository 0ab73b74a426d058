"""Of a lead with very many touches, those that matter to what has changed of it.

What a change adds to the totals is found by evaluating the lead before and after it. Of a touch that stands on both sides
nearly all cancels out: it counts where it counted. So it may be left out on both sides, unless it decides about something else:
it is the first of all, answers an inquiry or is answered by a reply, is the last of its rep, team or channel, or lies ahead of
the clock. What has changed and these few are evaluated instead: they give the same difference, and say the same of the lead.

Where that cannot be so, because all touches count otherwise, as under another segment, the few of each side are evaluated by
themselves; the other touches are taken away from the one side, and then added to the other, some thousand at a time.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.codes import NEVER, NOBODY, Codes, Ints, Mask, rows_where
from models.measures import WITH_CHANNEL
from models.slices import OF_LEADS, dims_of
from models.stages import CUSTOMER
from models.state.deals import OPEN
from models.state.facts import AUTOMATED, CONNECTED, DELIVERED, NOT_NAMED, NOTHING, REPLY, TOUCH, Facts, leaving_out
from models.story import CALL, Story
from models.tables import Table, zeros
from models.units import Millis

_BLOCK: Final = 1024
"""Touches among which the last one of somebody is looked for at first, from the end on."""


_WORD: Final = 8
"""Bytes that are compared at once."""

_OWN: Final = ("rep", "team", "channel")
"""The dimensions that touches have of their own."""

_Values: TypeAlias = dict[tuple[str, ...], set[int]]
"""Values of dimensions taken together, as one number each."""


class Columns:
    """The rows of some touches as columns. They may be kept: most touches are the same from one change to the next."""

    def __init__(self, touches: bytes) -> None:
        self.touches = touches
        self.rows = np.frombuffer(touches, TOUCH)
        self.at: Ints = self.rows["at"].copy()
        self.flags: NDArray[np.uint8] = self.rows["flags"].copy()
        self.channel: NDArray[np.uint8] = self.rows["channel"].copy()
        self.human: Mask = (self.flags & AUTOMATED) == 0

    def of(self, touches: bytes) -> "Columns":
        """The columns of touches: these, if they are the same ones."""
        return self if touches is self.touches else Columns(touches)


def neighbourhood(
    old: Facts, new: Facts, codes: Codes, then: Millis, now: Millis, columns: tuple[Columns, Columns] | None = None
) -> tuple[Facts, Facts]:
    """A lead's facts on both sides, without touches that make no difference.

    They are the facts that were counted with the due clock at `then`, and those to be counted with it at `now`, not before.
    """
    if NOTHING in (old, new):
        return old, new
    theirs, mine = columns or (Columns(old.touches), Columns(new.touches))
    before, after = _Side(old, codes, then, theirs), _Side(new, codes, now, mine)
    if before.dims != after.dims or before.ended != after.ended:
        return old, new
    if old.owners != new.owners and (before.has_unnamed or after.has_unnamed or before.ended):
        return old, new
    if old.stages != new.stages and (before.was_customer or after.was_customer):
        return old, new
    changed = _changed(old.touches, new.touches)
    ahead = min(before.horizon, after.horizon)
    turning = np.unique(np.concatenate((changed, before.since(ahead), after.since(ahead))))
    values = _values(before, after, turning, ahead)
    kept = np.unique(
        np.concatenate([turning, *(side.at[[*side.deciding(), *side.last_of(values)]] for side in (before, after))])
    )
    return before.near(kept), after.near(kept)


def few(known: Facts, codes: Codes, known_until: Millis) -> Facts:
    """A lead's facts with those touches only that decide what is said of it beside its contributions."""
    if known == NOTHING:
        return known
    side = _Side(known, codes, known_until)
    return side.only(side.places_at(side.few()))


def more_and_more(known: Facts, codes: Codes, known_until: Millis, size: int) -> Iterator[tuple[Facts, Facts]]:
    """How `few` become all of a lead's touches, so many at a time: facts before and after, for each step."""
    side = _Side(known, codes, known_until)
    kept = np.zeros(len(side.at), np.bool_)
    kept[side.places_at(side.few())] = True
    rest = rows_where(~kept)
    before = side.only(rows_where(kept))
    for start in range(0, len(rest), size):
        kept[rest[start : start + size]] = True
        after = side.only(rows_where(kept))
        yield neighbourhood(before, after, codes, known_until, known_until)
        before = after


class _Side:
    """The facts of the lead at one instant; `story` is theirs without touches."""

    def __init__(self, facts: Facts, codes: Codes, known_until: Millis, columns: Columns | None = None) -> None:
        self.facts = facts
        self.codes = codes
        self.story = Story([facts._replace(touches=b"")], codes, known_until)
        columns = columns or Columns(facts.touches)
        self.rows, self.at, self.flags = columns.rows, columns.at, columns.flags
        self.channel, self.human = columns.channel, columns.human

    @property
    def horizon(self) -> int:
        """The end of the ten-second pane in which the lead's clock stands."""
        return int(self.story.horizon[0])

    @property
    def dims(self) -> list[int]:
        """What the lead itself counts under."""
        return [int(self.story.of_leads[dim][0]) for dim in OF_LEADS]

    @property
    def ended(self) -> bytes:
        """The deals that ended: touches count for them."""
        rows = self.story.deal_rows
        return bytes(rows[rows["end"] != OPEN].tobytes())

    @property
    def was_customer(self) -> bool:
        """Whether the lead ever was a customer: touches then count apart."""
        return bool((self.story.stages.value == CUSTOMER).any())

    @property
    def has_unnamed(self) -> bool:
        """Whether there are touches that count for the lead's owner."""
        return bool((self.rows["rep"] == NOBODY).any())

    def since(self, at: int) -> Ints:
        """The instants of the touches from an instant on."""
        return self.at[self.at.searchsorted(at) :]

    def few(self) -> Ints:
        """The instants of the touches that decide about others, or lie ahead of the clock."""
        return np.unique(np.concatenate((self.at[[*self.deciding()]], self.since(self.horizon))))

    def places_at(self, instants: Ints) -> Ints:
        """The places of the touches at some instants."""
        return _ranges(self.at.searchsorted(instants), self.at.searchsorted(instants, side="right"))

    def deciding(self) -> Iterator[int]:
        """The places of touches that decide how something else counts."""
        if not len(self.at):
            return
        yield from (0, len(self.at) - 1)
        yield from _first_from(self.human | ((self.flags & DELIVERED) > 0), [0])
        inquiries = [0, *self.at.searchsorted(self.story.inquiries.at).tolist()]
        yield from _first_from(self.human, inquiries)
        connected = self.human & (self.channel == CALL) & ((self.flags & CONNECTED) > 0)
        yield from _first_from(connected, inquiries)
        ahead = int(self.at.searchsorted(self.horizon))
        yield from (*_last_before(connected, [ahead]), *_last_before(self.human, [ahead]))
        yield from self._answered()

    def _answered(self) -> Iterator[int]:
        """The touches of which replies answer one: that which each names, the latest on its channel, the latest at all."""
        replies = self.story.human_replies
        until = self.at.searchsorted(replies.at, side="right")
        yield from replies.answers[replies.answers >= 0].tolist()
        yield from (until[until > 0] - 1).tolist()
        for channel in set(replies.channel.tolist()):
            yield from _last_before(self.channel == channel, until[replies.channel == channel].tolist())

    def of_human(self, places: Ints) -> dict[str, Ints]:
        """By whom, of which team and on which channel those of some touches were that are by a person."""
        return self.of(places[self.human[places]])

    def of(self, places: Ints) -> dict[str, Ints]:
        """By whom, of which team and on which channel some touches were."""
        channel = self.channel[places].astype(np.int64)
        table = Table(1, zeros(len(places)), self.at[places])
        found = self.story.acted(table, self.rows["rep"][places].astype(np.int64), channel)
        return {"rep": found.rep, "team": found.team, "channel": channel}

    def of_held(self) -> dict[str, Ints]:
        """By whom and of which team the meetings were that were held."""
        found = self.story.acted(self.story.meetings_held, self.story.meetings_held.rep)
        return {"rep": found.rep, "team": found.team}

    def last_of(self, values: _Values) -> Iterator[int]:
        """The last touch by a person, before the clock's pane ends, of each of some values of dimensions taken together."""
        wanted = {dims: set(of) for dims, of in values.items()}
        end, size = int(self.at.searchsorted(self.horizon)), _BLOCK
        while end > 0 and any(wanted.values()):
            start = max(0, end - size)
            places = start + rows_where(self.human[start:end])
            by = self.of(places)
            for dims, of in wanted.items():
                coded = _coded(by, dims, self.codes) if of else None
                for value in tuple(of):
                    found = np.flatnonzero(coded == value)
                    if len(found):
                        yield int(places[found[-1]])
                        of.discard(value)
            end, size = start, 2 * size

    def only(self, kept: Ints) -> Facts:
        """The facts with some touches only."""
        replies = np.frombuffer(self.facts.replies, REPLY).copy()
        if len(replies):
            places = np.minimum(np.searchsorted(kept, replies["answers"]), max(0, len(kept) - 1))
            replies["answers"] = np.where(np.isin(replies["answers"], kept), places, NOT_NAMED)
        return self.facts._replace(touches=self.rows[kept].tobytes(), replies=replies.tobytes())

    def near(self, instants: Ints) -> Facts:
        """The same for touches of some instants, of which it is known how many others there are."""
        kept = self.places_at(instants)
        return leaving_out(self.only(kept), self._left_out(kept))

    def _left_out(self, kept: Ints) -> int:
        """How many touches by a person that are not kept it took until the follow-up ended."""
        ended_at = int(self.story.followed_up_until[0])
        if ended_at == NEVER:
            return 0
        until = self.at.searchsorted(ended_at, side="right")
        return int(np.count_nonzero(self.human[:until])) - int(np.count_nonzero(self.human[kept[kept < until]]))


def _values(before: _Side, after: _Side, turning: Ints, ahead: int) -> _Values:
    """What touches of some instants, and meetings held that turn likewise, count under beside what the lead itself does."""
    sides, codes = (before, after), before.codes
    touches = _joined(*(side.of_human(side.places_at(turning)) for side in sides))
    meetings = _joined(*(side.of_held() for side in sides)) if _meetings_turn(before, after, ahead) else {}
    values: _Values = {}
    for dims in {tuple(dim for dim in dims_of(each) if dim in _OWN) for each in codes.slices(WITH_CHANNEL)}:
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


def _changed(old: bytes, new: bytes) -> Ints:
    """The instants at which other touches stand in two tables."""
    start, end = _common(old, new)
    size = TOUCH.itemsize
    before, after = (np.frombuffer(rows[start * size : len(rows) - end * size], TOUCH) for rows in (old, new))
    return np.concatenate([mine["at"][~_stands(mine, theirs)] for mine, theirs in ((before, after), (after, before))])


def _common(old: bytes, new: bytes) -> tuple[int, int]:
    """How many rows two tables have in common at the start, and of the others at the end."""
    size, shorter = TOUCH.itemsize, min(len(old), len(new))
    if old == new:
        return len(old) // size, 0
    words = shorter // _WORD
    start = _alike(*(np.frombuffer(rows, np.uint64, words) for rows in (old, new))) * _WORD // size
    words = (shorter - start * size) // _WORD
    ends = (np.frombuffer(rows, np.uint64, words, len(rows) - words * _WORD)[::-1] for rows in (old, new))
    return start, _alike(*ends) * _WORD // size


def _alike(old: NDArray[np.uint64], new: NDArray[np.uint64]) -> int:
    """How many words are alike before the first that are not."""
    differ = old != new
    first = int(differ.argmax()) if len(differ) else 0
    return first if len(differ) and differ[first] else len(differ)


def _stands(mine: NDArray[Any], theirs: NDArray[Any]) -> Mask:
    """Which rows stand in the other table, too, at the same place among those of their instant."""
    if not len(theirs):
        return np.zeros(len(mine), np.bool_)
    at = np.ascontiguousarray(mine["at"])
    rank = np.arange(len(mine)) - at.searchsorted(at)
    place = np.searchsorted(np.ascontiguousarray(theirs["at"]), at) + rank
    stands: Mask = (place < len(theirs)) & (theirs[np.minimum(place, len(theirs) - 1)] == mine)
    return stands


def _first_from(wanted: Mask, bounds: Iterable[int]) -> Iterator[int]:
    """The first place that is wanted at or after each bound, where there is one."""
    for bound in bounds:
        found = bound + int(wanted[bound:].argmax()) if bound < len(wanted) else bound
        if found < len(wanted) and wanted[found]:
            yield found


def _last_before(wanted: Mask, bounds: Iterable[int]) -> Iterator[int]:
    """The last place that is wanted before each bound, where there is one."""
    for bound in bounds:
        end, size = bound, _BLOCK
        while end > 0:
            start = max(0, end - size)
            found = rows_where(wanted[start:end])
            if len(found):
                yield start + int(found[-1])
                break
            end, size = start, 2 * size


def _ranges(low: Ints, high: Ints) -> Ints:
    """All numbers from each lower bound to the upper one."""
    counts = high - low
    starts = np.repeat(low - (np.cumsum(counts) - counts), counts)
    return starts + np.arange(len(starts))
