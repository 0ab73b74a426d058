"""The valuation: by which rules, catalogue and code a partition's totals were made."""

import hashlib
from datetime import date
from importlib import resources
from typing import Final

import msgspec
from msgspec import Struct

from models.catalogue import VERSION
from models.rules import Rules
from models.windows import LocalDays
from streams.errors import Fatal

SOURCES: Final = (
    "catalogue/__init__.py",
    "catalogue/activity.py",
    "catalogue/replies.py",
    "catalogue/speed.py",
    "codes.py",
    "contributions.py",
    "measures.py",
    "members.py",
    "neighbourhood.py",
    "rollup.py",
    "rules.py",
    "series.py",
    "sketches.py",
    "slices.py",
    "state/absorption.py",
    "state/facts.py",
    "state/lead.py",
    "state/pages.py",
    "state/registers.py",
    "state/rows.py",
    "story.py",
    "tables.py",
    "views.py",
    "windows.py",
)
"""The modules that decide what a lead contributes; texts in them count too, which costs a re-valuation and harms nothing."""


_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2050, 1, 1)
"""The local days whose starts are part of the valuation: another release of the zone data may place panes elsewhere."""


class Valuation(Struct, frozen=True):
    """Two integers that say which of two is older, and a digest that says whether they are the same."""

    catalogue: int
    rules: int
    digest: str

    def encode(self) -> str:
        """As it is stored."""
        return msgspec.json.encode(self).decode()


def valuation_of(rules: Rules) -> Valuation:
    """The valuation of this code under some rules."""
    digest = hashlib.sha256(msgspec.json.encode(rules, order="sorted"))
    days = LocalDays(rules.zone)
    for ordinal in range(_FIRST_DAY.toordinal(), _LAST_DAY.toordinal()):
        digest.update(days.start_of(date.fromordinal(ordinal)).to_bytes(8))
    package = resources.files("models")
    for name in SOURCES:
        digest.update(package.joinpath(name).read_bytes())
    return Valuation(VERSION, rules.version, digest.hexdigest())


def decode_valuation(stored: str) -> Valuation | None:
    """A stored valuation; None before the first totals."""
    return msgspec.json.decode(stored, type=Valuation) if stored else None


def check_not_older(mine: Valuation, stored: Valuation, where: str) -> None:
    """Raise Fatal if the totals were made by a newer catalogue or newer rules than this worker has."""
    for name in ("catalogue", "rules"):
        ours, theirs = getattr(mine, name), getattr(stored, name)
        if ours < theirs:
            raise Fatal(
                where,
                f"its totals were made with {name} version {theirs}, this worker has {ours}",
                f"start a worker with {name} version {theirs} or later",
            )
