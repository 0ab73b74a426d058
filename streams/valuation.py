"""The valuation: by which rules, catalogue and code a partition's totals were made."""

import hashlib
from datetime import date
from importlib import resources
from typing import Final

import msgspec
from msgspec import Struct

from models.catalogue import OWN, VERSION
from models.errors import UNREADABLE
from models.extension import Own
from models.rules import Rules
from models.windows import LocalDays
from streams.errors import Fatal

SOURCES: Final = (
    "accounts.py",
    "calendars.py",
    "campaigns.py",
    "catalogue/__init__.py",
    "catalogue/activity.py",
    "catalogue/customers.py",
    "catalogue/dealings.py",
    "catalogue/deals.py",
    "catalogue/funnel.py",
    "catalogue/marketing.py",
    "catalogue/people.py",
    "catalogue/replies.py",
    "catalogue/speed.py",
    "codes.py",
    "contributions.py",
    "dealings.py",
    "deals.py",
    "employment.py",
    "extension.py",
    "measures.py",
    "members.py",
    "money.py",
    "neighbourhood.py",
    "promises.py",
    "rollup.py",
    "rules.py",
    "series.py",
    "sketches.py",
    "slices.py",
    "stages.py",
    "state/absorption.py",
    "state/accounts.py",
    "state/campaigns.py",
    "state/deals.py",
    "state/facts.py",
    "state/lead.py",
    "state/packing.py",
    "state/pages.py",
    "state/registers.py",
    "state/reps.py",
    "state/responses.py",
    "state/rows.py",
    "state/spans.py",
    "state/subjects.py",
    "story.py",
    "tables.py",
    "views.py",
    "windows.py",
    "worktime.py",
)
"""The modules that decide what a lead contributes; texts in them count too, which costs a re-valuation and harms nothing."""


_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2050, 1, 1)
"""The local days whose starts are part of the valuation: another release of the zone data may place panes elsewhere."""


class Valuation(Struct, frozen=True):
    """Integers that say which of two is older, and a digest that says whether they are the same.

    `own` is the version of the organisation's own KPIs.
    """

    catalogue: int
    rules: int
    digest: str
    own: int = 0

    @property
    def versions(self) -> tuple[int, int, int]:
        """All that may be older."""
        return self.catalogue, self.rules, self.own

    def encode(self) -> str:
        """As it is stored."""
        return msgspec.json.encode(self).decode()


def valuation_of(rules: Rules, own: Own = OWN) -> Valuation:
    """The valuation of this code, and of the organisation's own, under some rules."""
    digest = hashlib.sha256(msgspec.json.encode(rules, order="sorted"))
    for zone in dict.fromkeys([rules.zone, *(calendar.zone for calendar in rules.calendars)]):
        days = LocalDays(zone)
        for ordinal in range(_FIRST_DAY.toordinal(), _LAST_DAY.toordinal()):
            digest.update(days.start_of(date.fromordinal(ordinal)).to_bytes(8))
    package = resources.files("models")
    for name in SOURCES:
        digest.update(package.joinpath(name).read_bytes())
    digest.update(own.source)
    return Valuation(VERSION, rules.version, digest.hexdigest(), own.version)


def decode_valuation(stored: str) -> Valuation | None:
    """A stored valuation; None before the first totals. Raises Fatal for anything else."""
    try:
        return msgspec.json.decode(stored, type=Valuation) if stored else None
    except UNREADABLE as error:
        raise Fatal("valuation", f"is none of this version: {error}", "find out who else writes under this prefix") from None


_TOLD: Final = {"catalogue": "catalogue", "rules": "rules", "own": "own KPIs (VERSION of their module)"}


def check_not_older(mine: Valuation, stored: Valuation, where: str) -> None:
    """Raise Fatal if the totals were made by a newer catalogue, newer rules or newer own KPIs than this worker has."""
    for name in ("catalogue", "rules", "own"):
        ours, theirs = getattr(mine, name), getattr(stored, name)
        if ours < theirs:
            raise Fatal(
                where,
                f"its totals were made with {_TOLD[name]} version {theirs}, this worker has {ours}",
                f"start a worker with {_TOLD[name]} version {theirs} or later",
            )
