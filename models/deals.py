"""The deals of many leads, at each of the instants that matter to them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.codes import NEVER, NOBODY, WHOLE_SHARE, Ints, Mask, key, rows_where
from models.state.deals import DEAL, KINDS, LINE, LOST, NO_AMOUNT, OPEN, PROPOSAL, WON
from models.state.facts import SPAN
from models.tables import Occurrences, Table, firsts, in_order, ints, zeros
from models.views import Rows, Views


@dataclass(eq=False)
class Closed(Occurrences):
    """Deals that ended: against whom, and why they were lost."""

    competitor: Ints
    loss_reason: Ints


@dataclass(eq=False)
class Sold(Occurrences):
    """Lines of deals that were won."""

    product: Ints


@dataclass(eq=False)
class Nurtured(Occurrences):
    """Stays on nurture tracks."""

    nurture_track: Ints


_Kind = TypeVar("_Kind", Closed, Sold, Nurtured)


def _more(kind: type[_Kind], found: Occurrences, **more: Ints) -> _Kind:
    """Occurrences with dimensions of their own."""
    return kind(found.leads, **{name: getattr(found, name) for name in found.columns}, **more)


def of_amounts(amounts: Ints, shares: Ints) -> Ints:
    """The shares of WHOLE_SHARE that there are of amounts, each to the nearest minor unit, halves to the even one."""
    much, little = np.divmod(amounts, WHOLE_SHARE)  # so that nothing overflows
    more, rest = np.divmod(little * shares, WHOLE_SHARE)
    paid = much * shares + more
    paid += (2 * rest > WHOLE_SHARE) | ((2 * rest == WHOLE_SHARE) & (paid % 2 == 1))
    return paid


class Deals(Views):
    """What the leads' deals say; a mask over `deal_rows` chooses some of them."""

    @cached_property
    def deals_of(self) -> Rows:
        """Whose deals there are, and all deals, in the order of leads; columns as in DEAL."""
        return self._rows("deals", DEAL)

    @property
    def deal_rows(self) -> NDArray[Any]:
        """All deals, in the order of leads; columns as in DEAL."""
        return self.deals_of[1]

    def deals_at(self, moment: str, chosen: Mask | None = None) -> Occurrences:
        """Deals at one of their instants, where they have it: each is its rep's then, or else the owner's."""
        return self._told(moment, self._places(moment, chosen))

    def worth_at(self, moment: str, value: str, chosen: Mask | None = None) -> Occurrences:
        """The same with amounts, of those deals that have one."""
        has = self.has(value)
        places = self._places(moment, has if chosen is None else has & chosen)
        return self._told(moment, places).worth(ints(self.deal_rows[f"{value}_value"][places]))

    def commissions(self) -> Occurrences:
        """What is paid to reps for deals won, at the close; of those who have a plan then."""
        sold = self.worth_at("closed", "closed", self.won)
        shares = self.codes.commissions(sold.rep, sold.at)
        return sold.worth(of_amounts(sold.value, shares)).where(shares > 0)

    def since_creation(self, moment: str, chosen: Mask) -> Occurrences:
        """Some deals at one of their instants, and how long before it they were created, or (below 0) after it."""
        places = self._places(moment, chosen)
        found = self._told(moment, places)
        return found.worth(found.at - self.deal_rows["created_at"][places])

    def closed_deals(self, chosen: Mask) -> Closed:
        """Some deals at their close, with whom they were won against or lost to, and why."""
        places = self._places("closed", chosen)
        competitor, loss_reason = (ints(self.deal_rows[name][places]) for name in ("competitor", "loss_reason"))
        return _more(Closed, self._told("closed", places), competitor=competitor, loss_reason=loss_reason)

    def _places(self, moment: str, chosen: Mask | None = None) -> Ints:
        """The rows of deals that have an instant, in the order of leads and that instant."""
        of, rows = self.deals_of
        wanted = self.reached_by_deals(moment)
        places = rows_where(wanted if chosen is None else wanted & chosen)
        order = np.argsort(key(of[places], ints(rows[f"{moment}_at"][places])), kind="stable")
        ordered: Ints = places[order]
        return ordered

    def _told(self, moment: str, places: Ints) -> Occurrences:
        of, rows = self.deals_of
        table = Table(self.leads, of[places], ints(rows[f"{moment}_at"][places]))
        return self.acted(table, ints(rows["rep"][places]))

    @cached_property
    def first_wins(self) -> Mask:
        """Which deals are the first that their lead won."""
        of, places = self.deals_of[0], self._places("closed", self.won)
        first = np.zeros(len(of), np.bool_)
        first[places[firsts(of[places])]] = True
        return first

    def sold(self, value: str | None = None) -> Sold:
        """Lines of deals that were won, at the close; each counts once, or by `quantity` or by `worth`, if it has one."""
        of, rows = self._rows("lines", LINE)
        if value == "worth":
            told = rows_where(rows["worth"] != NO_AMOUNT)
            of, rows = of[told], rows[told]
        found = self.acted(Table(self.leads, of, ints(rows["at"])), ints(rows["rep"]))
        found = found if value is None else found.worth(ints(rows[value]))
        return _more(Sold, found, product=ints(rows["product"]))

    def proposals(self, moment: str, *, signed: bool = False) -> Occurrences:
        """Proposals when they were sent or signed; `signed`: only those that are."""
        of, rows = self._rows("proposals", PROPOSAL)
        wanted = rows_where((rows[f"{moment}_at"] != NEVER) & ((rows["signed_at"] != NEVER) | (not signed)))
        table = Table(self.leads, of[wanted], ints(rows[f"{moment}_at"][wanted]))
        return in_order(self.acted(table, ints(rows["rep"][wanted])))

    def nurtures(self) -> Nurtured:
        """Stays on nurture tracks, from when they began."""
        of, rows = self._rows("nurtures", SPAN)
        found = self.owned(of, ints(rows["at"]))
        return _more(Nurtured, found, nurture_track=ints(rows["value"]))

    @property
    def from_referral(self) -> Mask:
        """Which leads came by a recommendation."""
        return np.isin(self.of_leads["origin"], self.codes.from_referral)

    def open_deals(self, value: str | None = None) -> Occurrences:
        """Deals that are open now; with amounts, those that have one."""
        of, rep = self.sellers
        found = self._by(Table(self.leads, of, zeros(len(of))), rep, self.codes.teams(rep, self.known_until[of]), None)
        if value is None:
            return found
        amounts = ints(self.deal_rows[f"{value}_value"][self.still_open])
        return found.worth(amounts).where(amounts != NO_AMOUNT)

    @cached_property
    def sellers(self) -> tuple[Ints, Ints]:
        """The leads of open deals, and whose each deal is now: its rep's, or else the owner's."""
        of, rep = self.deals_of[0][self.still_open], ints(self.deal_rows["rep"][self.still_open])
        return of, np.where(rep == NOBODY, self.owner_now[of], rep)

    @property
    def won(self) -> Mask:
        """Which deals are won."""
        won: Mask = self.deal_rows["end"] == WON
        return won

    @property
    def lost(self) -> Mask:
        """Which deals are lost."""
        lost: Mask = self.deal_rows["end"] == LOST
        return lost

    @property
    def still_open(self) -> Mask:
        """Which deals are open."""
        still_open: Mask = self.deal_rows["end"] == OPEN
        return still_open

    def won_as(self, kind: str) -> Mask:
        """Which deals of a kind are won."""
        won: Mask = self.won & (self.deal_rows["kind"] == KINDS.index(kind))
        return won

    def has(self, *values: str) -> Mask:
        """Which deals have all of some amounts."""
        has: Mask = np.logical_and.reduce([self.deal_rows[f"{value}_value"] != NO_AMOUNT for value in values])
        return has

    def reached_by_deals(self, moment: str) -> Mask:
        """Which deals have an instant."""
        reached: Mask = self.deal_rows[f"{moment}_at"] != NEVER
        return reached

    @property
    def deal_instants(self) -> list[tuple[Ints, Ints]]:
        """All instants that are told of deals, proposals and nurture tracks, and whose they are."""
        of, rows = self.deals_of
        deals = [(of, ints(rows[f"{moment}_at"])) for moment in ("created", "one", "two", "closed")]
        sent, proposals = self._rows("proposals", PROPOSAL)
        entered, nurtures = self._rows("nurtures", SPAN)
        signed = [(sent, ints(proposals[name])) for name in ("sent_at", "signed_at")]
        return [*deals, *signed, (entered, ints(nurtures["at"]))]
