"""A lead as a partition has it in memory."""

from dataclasses import dataclass, field
from typing import Final

from models.codes import Codes
from models.state.absorption import NOTHING_GIVEN, Given, stands_alone, whole
from models.state.facts import NOTHING, Facts, facts
from models.state.lead import Lead
from models.state.told import Alerts
from models.units import Millis
from streams.processing.huge import Huge

UNKNOWN: Final = Millis(-1)
"""Stands for a due instant that is stored, and was not read."""


@dataclass(slots=True)
class Remembered:
    """A lead in memory: its state, what was told of it, its facts, those that the totals have, what it gives to others."""

    lead: Lead
    told: Alerts
    facts: Facts = NOTHING
    counted: Facts = NOTHING
    due: Millis | None = UNKNOWN
    given: Given = field(default_factory=lambda: NOTHING_GIVEN)
    huge: Huge | None = None

    def stands(self, subject: str, codes: Codes) -> Facts:
        """What stands of it, worked out anew."""
        if self.huge is not None and stands_alone(self.lead):
            return self.huge.facts(self.lead, codes)
        return facts(whole(self.lead, subject), codes)
