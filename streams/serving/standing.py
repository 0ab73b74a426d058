"""Members as the leads that they stand for: pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from msgspec import Struct

from models.catalogue import MEASURES
from models.codes import Codes, Ints
from models.measures import Measure
from models.members import rows_of
from models.slices import DIMS
from models.state.absorption import whole
from models.state.facts import facts
from models.state.lead import unpack
from models.story import Story
from models.tables import Occurrences
from models.units import Millis
from streams.tables.members import Place
from streams.tables.rows import Member

Placed = tuple[Place, Member]
"""A member and where it stands in the order of all."""

_DRILLED: Final[Mapping[str, Measure]] = {measure.id: measure for measure in MEASURES if measure.drill}


class LeadBehind(Struct, frozen=True):
    """A lead that counts in a number: at which instant (ms UTC), in which measure of it, under which values.

    `connection` and `lead` name it: the CRM that it came from, and its id there. Channel, sentiment and what follows are
    null where its measure is not sliced by them.
    """

    connection: str
    lead: str
    at: Millis
    measure: str
    rep: str
    team: str
    lead_source: str
    origin: str
    sales_region: str
    segment: str
    campaign: str
    channel: str | None
    sentiment: str | None
    product: str | None = None
    competitor: str | None = None
    loss_reason: str | None = None
    nurture_track: str | None = None


class Part(NamedTuple):
    """Some members of a partition, the packed states of their leads, and where its due clock stands."""

    known_until: Millis
    members: Sequence[Placed]
    states: Mapping[str, bytes]


class Stood(NamedTuple):
    """Leads by the places of their members; and whether every member of the part stands for something in its lead's state."""

    leads: dict[Place, LeadBehind]
    whole: bool


def standing(part: Part, codes: Codes, wanted: Mapping[str, str]) -> Stood:
    """The leads of those members that count under the wanted values, by dimension."""
    if not part.states:
        return Stood({}, not part.members)
    known = [facts(whole(unpack(packed)[0], subject), codes) for subject, packed in part.states.items()]
    story = Story(known, codes, part.known_until)
    place_of = {subject: place for place, subject in enumerate(part.states)}
    of_measures: dict[str, list[Placed]] = defaultdict(list)
    for each in part.members:
        of_measures[each[0].measure].append(each)
    stood = Stood({}, whole=True)
    for measure, members in of_measures.items():
        found = _DRILLED[measure].select(story)
        rows = _rows(found, members, place_of)
        counts = np.flatnonzero((rows >= 0) & _under(story, found, rows, wanted))
        told = _told(story, found.where(rows[counts]), _DRILLED[measure], [members[number] for number in counts.tolist()])
        stood = Stood(stood.leads | told, stood.whole and bool((rows >= 0).all()))
    return stood


def _rows(found: Occurrences, members: Sequence[Placed], place_of: Mapping[str, int]) -> Ints:
    """The row that each member stands for, or -1."""
    columns = [(place_of.get(member.subject, -1), member.at, member.k) for _, member in members]
    return rows_of(found, *np.array(columns, np.int64).T)


def _under(
    story: Story, found: Occurrences, rows: Ints, wanted: Mapping[str, str]
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which rows count under all of the wanted values."""
    under = np.ones(len(rows), np.bool_)
    for dim, value in wanted.items() if len(found) else ():
        is_value = np.array([name == value for name in story.codes.names(dim)])
        under &= is_value[story.codes_of(found, dim)[rows]]
    return under


def _told(story: Story, found: Occurrences, measure: Measure, members: Sequence[Placed]) -> dict[Place, LeadBehind]:
    columns: list[Sequence[str | None]] = []
    for dim in DIMS:
        names = story.codes.names(dim)
        is_told = dim in measure.dims
        columns.append([names[code] for code in story.codes_of(found, dim).tolist()] if is_told else [None] * len(found))
    leads = {}
    for (place, member), values in zip(members, zip(*columns, strict=True), strict=True):
        connection, _, name = member.subject.partition(":")
        leads[place] = LeadBehind(connection, name, Millis(member.at), measure.id, *values)
    return leads
