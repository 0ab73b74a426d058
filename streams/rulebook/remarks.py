"""What can be said of a rules document before anything goes by it: mistakes, and what was probably not meant."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from models.rules import LISTS, OTHER, UNASSIGNED, Rules
from models.units import Millis
from streams.config import RosterEntry, Settings, SlaEntry, load_rules
from streams.config.values import instant

ADVICE: Final = {
    "is missing": "write it",
    "is not a rep of the roster": "put them into the roster, or correct the name",
    "is not a team of the roster": "put somebody into it in the roster, or correct its name",
    "is not among calendars": "add the calendar, or correct its name",
    "is not among lead_sources": "add it to lead_sources, or correct its name",
    "is the same as in": "keep one of the two",
}
"""What to do about mistakes whose text does not say it."""

EXAMPLE: Final = "docs/leadbeat.example.toml shows how"


class Remark(NamedTuple):
    """One remark: where in the document, what is wrong or odd there, what to do."""

    where: str
    what: str
    todo: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} ({self.todo})"


class Checked(NamedTuple):
    """A document that was read: its settings, what is wrong, what was probably not meant; with mistakes there are no rules."""

    settings: Settings
    mistakes: Sequence[Remark]
    warnings: Sequence[Remark]

    def rules(self, version: int) -> Rules:
        """The rules under a version."""
        return self.settings.model_copy(update={"rules_version": version}).rules()

    @property
    def version(self) -> int | None:
        """The version that the document names, if it does."""
        return self.settings.rules_version if "rules_version" in self.settings.model_fields_set else None


def check(path: Path) -> Checked:
    """Read a document and find everything that is to be said of it. Raises Fatal if it is not TOML at all."""
    settings, found = load_rules(path)
    mistakes = [_mistake(where, what) for where, what in found]
    return Checked(settings, mistakes, [] if mistakes else list(suspicions(settings)))


def _mistake(where: str, text: str) -> Remark:
    what, _, todo = text.partition(": ")
    return Remark(where, what, todo or next((advice for part, advice in ADVICE.items() if part in what), EXAMPLE))


def suspicions(settings: Settings) -> Iterator[Remark]:
    """What is allowed, and probably not meant."""
    yield from _gaps(settings)
    yield from _roster(settings)
    yield from _policies(settings)
    yield from _calendars(settings)
    names: dict[str, tuple[str, ...]] = {where: getattr(settings, where) for where in LISTS.values()}
    names["rep"] = tuple(dict.fromkeys(entry.rep for entry in settings.roster))
    names["team"] = tuple(dict.fromkeys(entry.team for entry in settings.roster if entry.team is not None))
    for kind, told in names.items():
        yield from _lookalikes(kind, told)


def _gaps(settings: Settings) -> Iterator[Remark]:
    if not settings.roster:
        yield Remark("roster", "is empty: every rep counts as other", "name the reps and their teams")
    if not settings.sla:
        yield Remark("sla", "is empty: no lead is ever overdue, and nobody is warned", "give a target")


def _roster(settings: Settings) -> Iterator[Remark]:
    zone = settings.organisation.zone
    terms: dict[str, list[tuple[Millis, int, RosterEntry]]] = defaultdict(list)
    for index, entry in enumerate(settings.roster):
        terms[entry.rep].append((instant(entry.since, zone), index, entry))
    for rep, unsorted in terms.items():
        entries = sorted(unsorted, key=lambda term: term[:2])
        _, first, entry = entries[0]
        if entry.team is None:
            yield Remark(
                f"roster[{first}]", f"{rep} leaves without having been in a team", "give a team from before, or remove it"
            )
        for (_, before, old), (_, index, new) in pairwise(entries):
            if old.team == new.team:
                where = "in no team" if new.team is None else f"in {new.team}"
                what = f"{rep} is {where} by roster[{before}] already"
                yield Remark(f"roster[{index}]", what, "remove it, or correct team or from")


def _policies(settings: Settings) -> Iterator[Remark]:
    zone = settings.organisation.zone
    last: dict[tuple[object, ...], int] = {}
    for index, entry in enumerate(settings.sla):
        last[_for(entry, zone)] = index
    for index, entry in enumerate(settings.sla):
        better = last[_for(entry, zone)]
        if better != index:
            what = f"never applies: sla[{better}] is for the same leads from the same instant, and the last one written holds"
            yield Remark(f"sla[{index}]", what, "keep one of the two")
        elif entry.team not in {None, UNASSIGNED, OTHER} and not _is_manned(
            settings, str(entry.team), instant(entry.since, zone)
        ):
            what = f"never applies: nobody is in {entry.team} from its beginning on"
            yield Remark(f"sla[{index}]", what, "put somebody into the team, or remove the policy")


def _calendars(settings: Settings) -> Iterator[Remark]:
    used = {use.calendar for use in settings.team_calendars} | {use.calendar for use in settings.rep_calendars}
    for index, calendar in enumerate(settings.calendars):
        if calendar.name not in used:
            what = f"{calendar.name} is nobody's calendar"
            yield Remark(f"calendars[{index}]", what, "name it in team_calendars or rep_calendars, or remove it")
    for index, entry in enumerate(settings.sla):
        if entry.target.time != "wall" and not settings.calendars:
            what = "is in business time, but nobody has a calendar: all of the time counts"
            yield Remark(f"sla[{index}].target", what, "add calendars, or give wall time")


def _for(entry: SlaEntry, zone: str) -> tuple[object, ...]:
    return entry.team, entry.lead_source, entry.segment, instant(entry.since, zone)


def _is_manned(settings: Settings, team: str, since: Millis) -> bool:
    """Whether anybody is in a team at an instant or comes into it later."""
    rules = settings.rules()
    later = any(entry.team == team and entry.valid_from >= since for entry in rules.roster)
    return later or any(rules.team(entry.rep, since) == team for entry in rules.roster)


def _lookalikes(kind: str, names: Iterable[str]) -> Iterator[Remark]:
    seen: dict[str, str] = {}
    for name in names:
        plain = " ".join(name.split()).casefold()
        if plain in seen:
            same = seen[plain] == name
            what = f"{name!r} is there twice" if same else f"{name!r} and {seen[plain]!r} are two names to Leadbeat"
            yield Remark(kind, what, "keep one" if same else "write both alike, if they are one, as the CRM does")
        seen.setdefault(plain, name)
