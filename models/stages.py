"""The stages of many leads: when each first reached which, how long it stayed, and where it stands."""

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.codes import NEVER, Ints, Mask
from models.state.facts import STAGES
from models.tables import Occurrences, Spans
from models.views import Views

CUSTOMER, DISQUALIFIED = STAGES.index("customer"), STAGES.index("disqualified")

LADDER: Final = STAGES[:DISQUALIFIED]
"""The stages that follow one another; to be disqualified is none of them."""

_SUBSCRIBER, _LEAD = STAGES.index("subscriber"), STAGES.index("lead")


class Stages(Views):
    """What the stage timelines of some leads say."""

    @cached_property
    def _first_in(self) -> NDArray[np.int64]:
        """When each lead was first put into each stage, or NEVER: a row for each stage."""
        first = np.full((len(STAGES), self.leads), NEVER, np.int64)
        known = self.stages.value >= 0
        np.minimum.at(first, (self.stages.value[known], self.stages.of[known]), self.stages.at[known])
        return first

    @cached_property
    def reached_at(self) -> NDArray[np.int64]:
        """When each lead first reached each stage, or NEVER: a row for each stage.

        A stage of the ladder that was skipped is reached with the next one. A lead that was never a subscriber has been a lead
        since its creation at the latest.
        """
        reached = self._first_in.copy()
        no_subscriber = reached[_SUBSCRIBER] == NEVER
        reached[_LEAD] = np.where(no_subscriber, np.minimum(reached[_LEAD], self.created_at), reached[_LEAD])
        ladder = reached[: len(LADDER)]
        ladder[:] = np.minimum.accumulate(ladder[::-1], axis=0)[::-1]
        return reached

    def reached(self, stage: int) -> Mask:
        """Which leads ever reached a stage."""
        reached: Mask = self.reached_at[stage] != NEVER
        return reached

    def entries(self, stage: int) -> Occurrences:
        """Leads at the instant at which they first reached a stage."""
        of = np.flatnonzero(self.reached(stage))
        return self.owned(of, self.reached_at[stage][of])

    @cached_property
    def stays(self) -> tuple[Spans, Ints]:
        """Unbroken stays in one stage, or in none (-1), and when each ended, or NEVER."""
        stages = self.stages
        begins = np.ones(len(stages), np.bool_)
        begins[1:] = (stages.of[1:] != stages.of[:-1]) | (stages.value[1:] != stages.value[:-1])
        stays = stages.where(begins)
        ended_at = np.full(len(stays), NEVER, np.int64)
        followed = np.flatnonzero(stays.of[1:] == stays.of[:-1])
        ended_at[followed] = stays.at[followed + 1]
        return stays, ended_at

    def left(self, stage: int) -> Occurrences:
        """Stays in a stage at the instant at which they ended; how long they were."""
        stays, ended_at = self.stays
        rows = np.flatnonzero((stays.value == stage) & (ended_at != NEVER))
        at = ended_at[rows]
        return self.owned(stays.of[rows], at).worth(at - stays.at[rows])

    @cached_property
    def stage_now(self) -> Ints:
        """The stage in which each lead is as far as is known; -1 for none."""
        return self.stages.column(self.stages.value, self.stages.last(), -1)

    @cached_property
    def known(self) -> Mask:
        """Which leads there are: those that were created, or are in a stage."""
        known: Mask = (self.created_at != NEVER) | (self.stage_now >= 0)
        return known
