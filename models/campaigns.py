"""The campaigns among many subjects: what they cost, what came of them, and what competitors ask."""

from dataclasses import dataclass

import numpy as np

from models.codes import Ints, rows_where
from models.state.campaigns import CATEGORIES, COST, DAY, QUOTE
from models.tables import Occurrences, ints, ones, zeros
from models.views import Views


@dataclass(eq=False)
class Quotes(Occurrences):
    """What competitors ask now."""

    product: Ints
    competitor: Ints


class Campaigns(Views):
    """What stands of campaigns. Nobody owns them."""

    def _of_nobody(self, of: Ints, at: Ints, channel: Ints, value: Ints) -> Occurrences:
        nobody = zeros(len(of))
        return Occurrences(self.leads, of, at, nobody, nobody, channel, nobody, value)

    def spent(self, category: str) -> Occurrences:
        """Costs of a category, on their days."""
        of, rows = self._rows("campaign.costs", COST)
        found = rows_where(rows["category"] == CATEGORIES.index(category))
        at, amount, channel = (ints(rows[name][found]) for name in ("at", "amount", "channel"))
        return self._of_nobody(of[found], at, channel, amount)

    def counted_on_days(self, what: str) -> Occurrences:
        """How many visits, impressions, deliveries, clicks or sign-ups there were, on their days."""
        of, rows = self._rows("campaign.days", DAY)
        found = rows_where(rows[what] > 0)
        at, count, channel = (ints(rows[name][found]) for name in ("at", what, "channel"))
        return self._of_nobody(of[found], at, channel, count)

    def quotes_now(self, *, price: bool) -> Quotes:
        """The latest price of each product that each competitor was heard to ask; it counts once, or with the price."""
        of, rows = self._known_rows("campaign.quotes", QUOTE)
        _, back = np.unique((of << _KIND_BITS | rows["kind"])[::-1], return_index=True)
        last = np.sort(len(of) - 1 - back)
        of, rows, none = of[last], rows[last], zeros(len(last))
        value = ints(rows["price"]) if price else ones(len(last))
        product, competitor = ints(rows["product"]), ints(rows["competitor"])
        return Quotes(self.leads, of, none, none, none, none, none, value, product, competitor)

    @property
    def quote_turns(self) -> list[tuple[Ints, Ints]]:
        """When quotes come to be known, and of which campaign."""
        of, rows = self._rows("campaign.quotes", QUOTE)
        return [(of, ints(rows["at"]))]


_KIND_BITS = 32
