"""The accounts among many subjects: what they pay, when they become customers and cease to be, what they answered and asked.

All of it stands at the due clock: what is planned for later counts from when that has reached it.
"""

from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from models.codes import AT_BITS, NEVER, Ints, Mask, key, rows_where
from models.state.accounts import MOMENT, MOVE, PURCHASE, RESPONSE_ROW, SURVEY, SURVEY_KINDS, TICKET, USAGE
from models.state.deals import NO_AMOUNT
from models.tables import Occurrences, Table, firsts, in_order, ints, ones, summed
from models.views import Rows, Views

_NONE: Final = np.empty(0, np.int64)


class Steps(NamedTuple):
    """A number of each account that moves: at each instant at which it does, what it was before and is after, in order."""

    of: Ints
    at: Ints
    before: Ints
    after: Ints


def steps(of: Ints, at: Ints, change: Ints) -> Steps:
    """How numbers move that are 0 at first, from the changes of each account in any order."""
    if not len(of):
        return Steps(_NONE, _NONE, _NONE, _NONE)
    keys, change = summed(key(of, at), change)
    moved = change != 0
    keys, change = keys[moved], change[moved]
    of, after = keys >> AT_BITS, change.cumsum()
    after -= (after - change)[of.searchsorted(of)]
    return Steps(of, keys & NEVER, after - change, after)


class Accounts(Views):
    """What stands of accounts."""

    @cached_property
    def _moves(self) -> Rows:
        return self._known_rows("account.moves", MOVE)

    @cached_property
    def _purchases(self) -> Rows:
        return self._known_rows("account.purchases", PURCHASE)

    # --- recurring revenue

    @cached_property
    def mrr_steps(self) -> Steps:
        """How the recurring revenue of each account moves."""
        of, moves = self._moves
        return steps(of, ints(moves["at"]), ints(moves["change"]))

    def by_account(self, of: Ints, at: Ints, value: Ints | None = None) -> Occurrences:
        """What happened to accounts, as their owners have it; how much."""
        found = self.owned(of, at)
        return in_order(found if value is None else found.worth(value))

    def mrr_moves(self, which: Mask) -> Occurrences:
        """Some moves of recurring revenue."""
        rows = rows_where(which)
        return self.by_account(self.mrr_steps.of[rows], self.mrr_steps.at[rows])

    def mrr_moved(self, which: Mask) -> Occurrences:
        """The same, by how much they moved it."""
        moved = self.mrr_steps
        return self.mrr_moves(which).worth(np.abs(moved.after - moved.before)[rows_where(which)])

    @cached_property
    def newly_paying(self) -> Mask:
        """Which moves are from nothing, for the first time."""
        return firsts(self.mrr_steps.of)

    @property
    def paying_again(self) -> Mask:
        """Which moves are from nothing, after there was something."""
        again: Mask = (self.mrr_steps.before == 0) & ~self.newly_paying
        return again

    @property
    def expanded(self) -> Mask:
        """Which moves are from something to more."""
        moved = self.mrr_steps
        expanded: Mask = (moved.before > 0) & (moved.after > moved.before)
        return expanded

    @property
    def contracted(self) -> Mask:
        """Which moves are from something to less, that is something still."""
        moved = self.mrr_steps
        contracted: Mask = (moved.after > 0) & (moved.after < moved.before)
        return contracted

    @property
    def churned(self) -> Mask:
        """Which moves are from something to nothing."""
        churned: Mask = self.mrr_steps.after == 0
        return churned

    def _sum(self, of: Ints, change: Ints) -> Ints:
        total = np.zeros(self.leads, np.int64)
        np.add.at(total, of, change)
        return total

    def now_worth(self, amounts: Ints) -> Occurrences:
        """The accounts that have some amount, with it, as they are now."""
        of = rows_where(amounts != 0)
        return self.now(of).worth(amounts[of])

    @property
    def mrr_now(self) -> Ints:
        """The recurring revenue of each account."""
        of, moves = self._moves
        return self._sum(of, ints(moves["change"]))

    @property
    def live_subscriptions(self) -> Ints:
        """How many subscriptions of each account bring something."""
        of, moves = self._moves
        return self._sum(of, ints(moves["live"]))

    # --- customers

    @cached_property
    def _custom(self) -> Steps:
        """How many reasons each account has to be a customer: that it pays, and each purchase that is not too old."""
        paid, (of, purchases) = self.mrr_steps, self._purchases
        paying = (paid.after > 0).astype(np.int64) - (paid.before > 0)
        ends = ints(purchases["at"]) + self.codes.rules.customer_ms
        over = rows_where(ends <= self.known_until[of])
        return steps(
            np.concatenate((paid.of, of, of[over])),
            np.concatenate((paid.at, ints(purchases["at"]), ends[over])),
            np.concatenate((paying, ones(len(of)), -ones(len(over)))),
        )

    def customers_gained(self) -> Occurrences:
        """Accounts when they become customers."""
        rows = rows_where(self._custom.before == 0)
        return self.by_account(self._custom.of[rows], self._custom.at[rows])

    def customers_lost(self) -> Occurrences:
        """Accounts when they cease to be customers."""
        rows = rows_where(self._custom.after == 0)
        return self.by_account(self._custom.of[rows], self._custom.at[rows])

    def customers(self) -> Occurrences:
        """Accounts that are customers now."""
        of, after = self._custom.of, self._custom.after
        last = rows_where(firsts(of[::-1])[::-1])
        return self.now(of[last][after[last] > 0])

    @cached_property
    def _buys(self) -> tuple[Table, Mask]:
        """When accounts bought: purchases, and subscriptions that began; and which of these were their first."""
        (of, moves), (buyers, purchases) = self._moves, self._purchases
        begins = rows_where(moves["begins"])
        keys = np.unique(key(np.concatenate((of[begins], buyers)), np.concatenate((moves["at"][begins], purchases["at"]))))
        bought = keys >> AT_BITS
        return Table(self.leads, bought, keys & NEVER), firsts(bought)

    def buys(self, *, first: bool) -> Occurrences:
        """The first time that each account bought, or all further ones."""
        table, are_first = self._buys
        rows = rows_where(are_first if first else ~are_first)
        return self.by_account(table.of[rows], table.at[rows])

    # --- what they did

    def purchases(self, *, with_amount: bool = False) -> Occurrences:
        """Purchases; or those that have an amount, with it."""
        of, found = self._purchases
        at, amount = ints(found["at"]), ints(found["amount"])
        if not with_amount:
            return self.by_account(of, at)
        told = rows_where(amount != NO_AMOUNT)
        return self.by_account(of[told], at[told], amount[told])

    def added_accounts(self) -> Occurrences:
        """Accounts when they came in."""
        of, found = self._known_rows("account.added", MOMENT)
        return self.by_account(of, ints(found["at"]))

    def referrals(self) -> Occurrences:
        """Recommendations."""
        of, found = self._known_rows("account.referrals", MOMENT)
        return self.by_account(of, ints(found["at"]))

    def responses(self) -> Occurrences:
        """Replies of the leads of accounts, as the leads' owners have them."""
        of, found = self._known_rows("account.responses", RESPONSE_ROW)
        return in_order(self.acted(Table(self.leads, of, ints(found["at"])), ints(found["rep"])))

    def usage(self) -> Occurrences:
        """Use, and how long, in ms."""
        of, found = self._known_rows("account.usage", USAGE)
        return self.by_account(of, ints(found["at"]), ints(found["ms"]))

    def surveyed(self, kind: str, least: int, most: int, *, points: bool = False) -> Occurrences:
        """Answers of a kind with a score from `least` to `most`; each counts once, or with its points."""
        of, found = self._known_rows("account.surveys", SURVEY)
        score = ints(found["score"])
        rows = rows_where((found["kind"] == SURVEY_KINDS.index(kind)) & (least <= score) & (score <= most))
        answers = Table(self.leads, of[rows], ints(found["at"][rows]))
        told = self.acted(answers, ints(found["rep"][rows]))
        return in_order(told.worth(score[rows]) if points else told)

    def tickets_opened(self) -> Occurrences:
        """Tickets when they are opened."""
        of, found = self._known_rows("account.tickets", TICKET)
        return self.acted(Table(self.leads, of, ints(found["at"])), ints(found["rep"]))

    def tickets_closed(self) -> Occurrences:
        """Tickets when they are closed; how long they were open."""
        of, found = self._known_rows("account.tickets", TICKET, "closed_at")
        at = ints(found["closed_at"])
        told = self.acted(Table(self.leads, of, at), ints(found["rep"]))
        return in_order(told.worth(np.maximum(0, at - found["at"])))

    @property
    def account_turns(self) -> list[tuple[Ints, Ints]]:
        """When time alone changes what is said of accounts, and of which; also in the past."""
        turns = []
        for table, layout in _TABLES.items():
            of, rows = self._rows(f"account.{table}", layout)
            turns.append((of, ints(rows["at"])))
            if table == "purchases":
                turns.append((of, turns[-1][1] + self.codes.rules.customer_ms))
            if table == "tickets":
                turns.append((of, ints(rows["closed_at"])))
        customers = np.unique(np.concatenate((self._moves[0], self._purchases[0])))
        turns.append((customers, self.codes.next_team_changes(self.owner_now[customers], self.known_until[customers])))
        return turns


_TABLES: Final = {
    "added": MOMENT,
    "moves": MOVE,
    "purchases": PURCHASE,
    "surveys": SURVEY,
    "tickets": TICKET,
    "usage": USAGE,
    "referrals": MOMENT,
    "responses": RESPONSE_ROW,
}
