"""What leads tell others: merged, all that they know to the one that they were merged into; else their account, who replied.

A merged lead counts nothing. It gives what it knows, and what it was given, to its target, with the path that each part has
come. So all that belongs together meets at the last one, which counts it, over any chain. A part that comes to somebody over
whom it came before is not given on; its path says who is merged in a circle, of whom the smallest id counts.

What is given follows from the state alone, so that a changed state says by itself what has to be told to whom.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple, TypeAlias

from models.data.refs import SubjectRef
from models.errors import InvalidEventError, InvalidStateError
from models.events import Absorbed, Logged
from models.state.lead import Change, Lead, fold, merge, pack, unpack
from models.state.registers import DELETED, MERGED, register
from models.state.responses import account_of, responses, tells_of_replies
from models.state.subjects import CALLED, LEAD, kind_of

SubjectId: TypeAlias = str

Path: TypeAlias = tuple[SubjectId, ...]
"""Whose part it is, and over whom it has come."""

Place: TypeAlias = tuple[SubjectId, Path]
"""Where something is given: to whom, and by which path."""

Given: TypeAlias = Mapping[Place, bytes]
"""What a lead gives to whom, packed."""

NOTHING_GIVEN: Final[Given] = {}

_ITS_OWN: Final = frozenset({DELETED, MERGED, CALLED})
"""Fields that say something of the lead's record in its CRM, and nothing of the person."""


class Handed(NamedTuple):
    """What must be told to `target`: a part of the path, packed; or (None) that it is given no longer."""

    target: SubjectId
    path: Path
    lead: bytes | None

    def event(self, channel: str, sequence: int, name: str) -> Absorbed:
        """The event that tells it."""
        path = () if self.lead is None else self.path
        return Absorbed(
            id=name,
            subject=SubjectRef(kind_of(self.target), self.target),
            channel=channel,
            sequence=sequence,
            path=path,
            lead=self.lead or b"",
        )


def check_part(event: Absorbed) -> None:
    """Raise InvalidEventError if a part cannot be unpacked."""
    try:
        unpack(event.lead or _EMPTY)
    except InvalidStateError as error:
        raise InvalidEventError(
            "$.lead", f"is no packed lead: {error.what}", "find out who else writes to the events topic"
        ) from None


def target_of(lead: Lead, own: SubjectId) -> SubjectId | None:
    """Whom a lead was merged into; None if it stands for itself."""
    merged = register(lead.record, MERGED)
    if merged is None or merged[2] is None:
        return None
    target: SubjectId = merged[2].partition(":")[2]
    return target if target != own else None


def stands_alone(lead: Lead) -> bool:
    """Whether a lead was never merged with others; it may tell its account of replies."""
    return not lead.absorbed and register(lead.record, MERGED) is None


def whole(lead: Lead, own: SubjectId) -> Lead:
    """What counts for a lead, to be read only: its own facts with those it was given; nothing if it counts for another."""
    target = target_of(lead, own)
    if target is None and not lead.absorbed:
        return lead
    if target is not None and not _is_smallest_of_circle(lead, own, target):
        return Lead()
    objects = {key: list(record) for key, record in lead.everything.items()}
    together = Lead(list(lead.record), dict(lead.owner), dict(lead.stage), objects, retired_until=lead.retired_until)
    for portion in lead.absorbed.values():
        if portion.lead:
            merge(together, unpack(portion.lead)[0])
    return together


def _is_smallest_of_circle(lead: Lead, own: SubjectId, target: SubjectId) -> bool:
    """Whether something has come back over the target, and nobody on that way has a smaller id."""
    for portion in lead.absorbed.values():
        if own in portion.path:
            circle = portion.path[portion.path.index(own) :]
            if circle[1:2] == (target,) and min(circle) == own:
                return True
    return False


def places(lead: Lead, own: SubjectId) -> frozenset[Place]:
    """To whom a lead gives something, and by which paths: merged, all to its target; itself, its replies to its account."""
    target = target_of(lead, own)
    merged = () if target is None else ((target, path) for path in _parts(lead, own))
    account = account_of(whole(lead, own), own) if kind_of(own) == LEAD else None
    return frozenset(merged if account is None else (*merged, (account, (own,))))


def given(lead: Lead, own: SubjectId) -> Given:
    """What a lead gives in all of these places, packed."""
    told: dict[Place, bytes] = {}
    if kind_of(own) == LEAD:
        stands = whole(lead, own)
        account = account_of(stands, own)
        if account is not None:
            told[account, (own,)] = responses(stands, own)
    target = target_of(lead, own)
    if target is not None:
        for path, part in _parts(lead, own).items():
            told[target, path] = b"" if target in path else _own_part(lead) if part is None else part
    return told or NOTHING_GIVEN


def _parts(lead: Lead, own: SubjectId) -> dict[Path, bytes | None]:
    """The parts that a merged lead gives on, by their paths; None for its own, which is to be packed."""
    parts: dict[Path, bytes | None] = {(own,): None}
    for portion in lead.absorbed.values():
        if portion.path and own not in portion.path:
            parts[*portion.path, own] = portion.lead
    return parts


def touched(event: Logged, change: Change, own: SubjectId, before: AbstractSet[Place], after: AbstractSet[Place]) -> set[Place]:
    """Where what a lead gives may be something else since an event that changed the lead, from the places before and after."""
    if isinstance(event, Absorbed):
        part = (*event.path, own)
        return {*(before ^ after), *(place for place in after if place[1] == part or _is_account(place, own))}
    if change.key is None:
        return {*before, *after}
    of_replies = tells_of_replies(change.key)
    return {place for place in before | after if place[1] == (own,) and (of_replies or not _is_account(place, own))}


def _is_account(place: Place, own: SubjectId) -> bool:
    """Whether a lead tells its account there, and no other lead."""
    return kind_of(place[0]) != kind_of(own)


def _own_part(lead: Lead) -> bytes:
    record = [
        (version, sequence, kept)
        for version, sequence, fields in lead.record
        if (kept := {name: content for name, content in fields.items() if name not in _ITS_OWN})
    ]
    return pack(Lead(record, lead.owner, lead.stage, lead.everything), {})


def handed(before: Given, after: Given) -> Iterator[Handed]:
    """What must be told when a lead no longer gives what it gave `before`, but what it gives `after`."""
    for place in before:
        if place not in after:
            yield Handed(*place, None)
    for place, part in after.items():
        if before.get(place) != part:
            yield Handed(*place, part)


_EMPTY: Final = pack(Lead(), {})


def settle(leads: dict[SubjectId, Lead]) -> None:
    """Let leads tell one another, until nothing is left to be told: what a quiet log comes to."""
    told: dict[SubjectId, Given] = {}
    waiting, sequence = dict.fromkeys(leads), 0
    while waiting:
        sequence += 1
        changed: dict[SubjectId, None] = {}
        for own in waiting:
            after = given(leads[own], own)
            for part in handed(told.get(own, NOTHING_GIVEN), after):
                fold(leads.setdefault(part.target, Lead()), part.event("/".join(part.path), sequence, "settled"))
                changed[part.target] = None
            told[own] = after
        waiting = changed
