"""The reps among many subjects: when they were employed, how they spent their time, what they think of their employer."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.codes import Ints, key, rows_where
from models.state.reps import ANSWER, EMPLOYMENT, TIME
from models.tables import Occurrences, Table, in_order, ints
from models.views import Views


class Employment(Views):
    """What stands of reps; each owns itself."""

    @cached_property
    def _employed(self) -> tuple[Ints, Ints, Ints]:
        """Those whose employment has begun: whose, since when, until when (or NEVER)."""
        of, rows = self._known_rows("rep.employment", EMPLOYMENT)
        return of, ints(rows["at"]), ints(rows["until"])

    def joined(self) -> Occurrences:
        """Reps when their employment began."""
        of, since, _ = self._employed
        return self.owned(of, since)

    def left_employment(self) -> Occurrences:
        """Reps when their employment ended, if that is not before it began."""
        of, since, until = self._employed
        rows = rows_where((until <= self.known_until[of]) & (since <= until))
        return self.owned(of[rows], until[rows])

    def employed_now(self, *, since: bool = False) -> Occurrences:
        """Reps who are employed now; with the instant since when, if wished."""
        of, begun, until = self._employed
        rows = rows_where(until > self.known_until[of])
        found = self.now(of[rows])
        return found.worth(begun[rows]) if since else found

    def _logged(self, table: str, layout: "np.dtype[Any]") -> tuple[Table, NDArray[Any]]:
        of, rows = self._rows(f"rep.{table}", layout)
        return Table(self.leads, of, ints(rows["at"])), rows

    def time_logged(self, what: str) -> Occurrences:
        """Entries of the time log, and how much of it was `selling_ms` or `working_ms`."""
        table, rows = self._logged("times", TIME)
        return self.owned(table.of, table.at).worth(ints(rows[what]))

    def days_logged(self) -> Occurrences:
        """The first entry of each rep on each local day."""
        table, _ = self._logged("times", TIME)
        days = np.array([self.codes.days.floor(at) for at in table.at.tolist()], np.int64)
        _, first = np.unique(key(table.of, days), return_index=True)
        return in_order(self.owned(table.of[first], table.at[first]))

    def answered_survey(self, least: int, most: int) -> Occurrences:
        """Answers with a score from `least` to `most`."""
        table, rows = self._logged("answers", ANSWER)
        chosen = rows_where((least <= rows["score"]) & (rows["score"] <= most))
        return self.owned(table.of[chosen], table.at[chosen])

    @property
    def employment_turns(self) -> list[tuple[Ints, Ints]]:
        """When time alone changes what is said of reps, and of which; also in the past."""
        of, rows = self._rows("rep.employment", EMPLOYMENT)
        since, until = ints(rows["at"]), ints(rows["until"])
        return [(of, since), (of, until), (of, self.codes.next_team_changes(self.owner_now[of], self.known_until[of]))]
