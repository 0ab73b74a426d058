"""The oracle's reading of accounts: what they pay, whether they are customers, and how content they are."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeGuard

from streams.local.truth_facts import OF_LEADS, Owned, Rules, standing_of
from streams.local.truth_linear import Formula, both
from streams.local.truth_record import Json, Record
from streams.local.truth_section import Section, Told

MONTHS = 12
PERCENT = 100
NPS, PROMOTERS, DETRACTORS = range(11), (9, 10), range(7)
CSAT = range(1, 6)

_MOVEMENTS = ["new_mrr", "reactivation_mrr", "expansion_mrr", "contraction_mrr", "churned_mrr"]
_COUNTS = [
    *_MOVEMENTS,
    *("accounts_added", "accounts_expanded", "accounts_contracted"),
    *("customers_gained", "customers_lost", "new_customers", "returning_customers"),
    *("purchases", "purchase_revenue", "referrals", "tickets_opened", "platform_time"),
    *("csat_answers", "csat_points", "nps_answers", "nps_promoters", "nps_detractors"),
]
_NET_EXPANSION = {"expansion_mrr": 1, "contraction_mrr": -1}
_NET_NEW = {"new_mrr": 1, "reactivation_mrr": 1, "churned_mrr": -1} | _NET_EXPANSION
_START_MRR = {"mrr": 1} | {movement: -times for movement, times in _NET_NEW.items()}
_START = {"customers": 1, "customers_gained": -1, "customers_lost": 1}
_LOST = {"contraction_mrr": 1, "churned_mrr": 1}
_KEPT = both(_START_MRR, {"contraction_mrr": -1, "churned_mrr": -1})
_NOW = {"customers": 1}
_FORMULAS = {
    "arr": Formula("sum", {"mrr": MONTHS}, is_level=True),
    "revenue_per_account_mean": Formula("mean", {"mrr": 1}, _NOW, is_level=True),
    "client_outcomes_subscriptions_mean": Formula("mean", {"subscriptions_live": 1}, _NOW, is_level=True),
    "net_new_mrr": Formula("sum", _NET_NEW),
    "net_expansion_mrr": Formula("sum", _NET_EXPANSION),
    "revenue_churn_ratio": Formula("ratio", _LOST, _START_MRR),
    "net_revenue_retention_ratio": Formula("ratio", both(_KEPT, {"expansion_mrr": 1}), _START_MRR),
    "gross_revenue_retention_ratio": Formula("ratio", _KEPT, _START_MRR),
    "customer_churn_ratio": Formula("ratio", {"customers_lost": 1}, _START),
    "customer_retention_ratio": Formula("ratio", {"customers": 1, "customers_gained": -1}, _START),
    "upgrade_ratio": Formula("ratio", {"accounts_expanded": 1}, _START),
    "downgrade_ratio": Formula("ratio", {"accounts_contracted": 1}, _START),
    "nps": Formula("ratio", {"nps_promoters": 1, "nps_detractors": -1}, {"nps_answers": 1}, scale=PERCENT),
    "csat_mean": Formula("mean", {"csat_points": 1}, {"csat_answers": 1}),
    "client_outcomes_tickets_mean": Formula("mean", {"tickets_opened": 1}, _NOW),
    "client_outcomes_platform_time_mean": Formula("mean", {"platform_time": 1}, _NOW),
    "client_outcomes_revenue_mean": Formula("mean", {"purchase_revenue": 1}, _NOW),
    "customer_acquisition_cost": Formula("mean", {"marketing_spend": 1, "sales_spend": 1}, {"new_customers": 1}),
}
ACCOUNTS = Section(
    counts=_COUNTS,
    durations=["ticket_resolution_time"],
    levels=["mrr", "customers", "subscriptions_live"],
    daily={*_COUNTS, *_FORMULAS, "ticket_resolution_time"},
    money={
        *_MOVEMENTS,
        *("mrr", "arr", "purchase_revenue", "net_new_mrr", "net_expansion_mrr"),
        *("revenue_per_account_mean", "client_outcomes_revenue_mean", "customer_acquisition_cost"),
    },
    seconds={"platform_time", "client_outcomes_platform_time_mean"},
    formulas=_FORMULAS,
)


@dataclass
class Account(Owned):
    """An account as it stands. Instants are in ms; deleted objects are absent."""

    added_at: int | None = None
    subscriptions: list[list[tuple[int, Any]]] = field(default_factory=list)
    """Of each since when it costs how much a month, and in which currency."""
    purchases: list[dict[str, Any]] = field(default_factory=list)
    surveys: list[dict[str, Any]] = field(default_factory=list)
    tickets: list[dict[str, Any]] = field(default_factory=list)
    usage: list[dict[str, Any]] = field(default_factory=list)
    referrals: list[dict[str, Any]] = field(default_factory=list)


def told_by_accounts(events: Iterable[Json], rules: Rules, known_until: int) -> Iterator[Told]:
    """What all accounts tell."""
    for history in standing_of(events, "account").values():
        yield from Reading(account_of(Record(history)), rules, known_until).told()


def account_of(record: Record) -> Account:
    """An account as its record has it."""
    return Account(
        fields={name: record.head.get(name) for name in OF_LEADS},
        owners=record.timeline("owner"),
        added_at=record.head.get("added_at"),
        subscriptions=[each["mrrs"] for each in record.objects("subscription", "mrr")],
        purchases=record.objects("purchase"),
        surveys=record.objects("survey"),
        tickets=record.objects("ticket"),
        usage=record.objects("usage"),
        referrals=record.objects("referral"),
    )


class Reading:
    """One account under the definitions of the catalogue; of what is planned for later nothing counts yet."""

    def __init__(self, account: Account, rules: Rules, known_until: int) -> None:
        self.account = account
        self.rules = rules
        self.known_until = known_until
        self.of_account = rules.of_lead(account.fields)

    def told(self) -> Iterator[Told]:
        """All that this account adds to the numbers."""
        yield from self.levels()
        yield from self.movements()
        yield from self.custom()
        yield from self.buys()
        yield from self.simple()
        yield from self.surveys()
        yield from self.tickets()

    # --- who and when ------------------------------------------------------------------------------------------------

    def usual(self, at: int, rep: str | None = None) -> dict[str, str]:
        """The slices of what happens at an instant: of who did it, else of the owner then."""
        rep = self.account.owner(at) if rep is None else rep
        return {"rep": self.rules.rep(rep), "team": self.rules.team(rep, at), **self.of_account}

    def known(self, at: int | None) -> TypeGuard[int]:
        """Whether it is told when, and that is not to come yet."""
        return at is not None and at <= self.known_until

    # --- what is paid ------------------------------------------------------------------------------------------------

    @cached_property
    def worths(self) -> list[list[tuple[int, int]]]:
        """Of each subscription since when it is worth how much a month, in the own currency."""
        return [
            [
                (since, self.rules.money.converted(mrr, currency, since) or 0)
                for since, (mrr, currency) in timeline
                if since <= self.known_until
            ]
            for timeline in self.account.subscriptions
        ]

    def monthly(self, at: int) -> int:
        """What all subscriptions together are worth at an instant."""
        return sum(_worth(timeline, at) for timeline in self.worths)

    def levels(self) -> Iterator[Told]:
        """`mrr`, `subscriptions_live` and `customers`: now, by the owner of now."""
        now = self.known_until
        owner = self.account.owner_now
        dims = {"rep": self.rules.rep(owner), "team": self.rules.team(owner, now), **self.of_account}
        if self.monthly(now) > 0:
            yield Told("mrr", None, dims, self.monthly(now))
            yield Told("subscriptions_live", None, dims, sum(_worth(timeline, now) > 0 for timeline in self.worths))
        if any(end > now for _, end in self.as_customer):
            yield Told("customers", None, dims)

    def movements(self) -> Iterator[Told]:
        """How the worth of all subscriptions together moves; how many accounts expanded, and how many contracted."""
        last: dict[str, int] = {}
        before, once = 0, False
        for at in sorted({since for timeline in self.worths for since, _ in timeline}):
            now = self.monthly(at)
            if now == before:
                continue
            if before == 0:
                movement = "reactivation_mrr" if once else "new_mrr"
            elif now == 0:
                movement = "churned_mrr"
            else:
                movement = "expansion_mrr" if now > before else "contraction_mrr"
            yield Told(movement, at, self.of_account, abs(now - before))
            last[movement] = at
            before, once = now, True
        if "expansion_mrr" in last:
            yield Told("accounts_expanded", last["expansion_mrr"], self.of_account)
        if "contraction_mrr" in last:
            yield Told("accounts_contracted", last["contraction_mrr"], self.of_account)

    # --- customers ---------------------------------------------------------------------------------------------------

    @cached_property
    def purchased_at(self) -> list[int]:
        """When something was bought."""
        return [purchase["at"] for purchase in self.account.purchases if self.known(purchase.get("at"))]

    @cached_property
    def as_customer(self) -> list[tuple[int, float]]:
        """From when until when the account is a customer; times that touch are one."""
        spans: list[tuple[int, float]] = [(at, at + self.rules.after_purchase_ms) for at in self.purchased_at]
        for timeline in self.worths:
            ends = [*(since for since, _ in timeline[1:]), float("inf")]
            spans += [(since, end) for (since, worth), end in zip(timeline, ends, strict=False) if worth > 0]
        together: list[tuple[int, float]] = []
        for start, end in sorted(spans):
            if start == end:
                continue
            if together and start <= together[-1][1]:
                together[-1] = (together[-1][0], max(together[-1][1], end))
            else:
                together.append((start, end))
        return together

    def custom(self) -> Iterator[Told]:
        """`customers_gained` and `customers_lost`."""
        for start, end in self.as_customer:
            yield Told("customers_gained", start, self.of_account)
            if end <= self.known_until:
                yield Told("customers_lost", int(end), self.of_account)

    def buys(self) -> Iterator[Told]:
        """`new_customers` at the first buy, `returning_customers` at each later one."""
        instants = set(self.purchased_at)
        for timeline in self.worths:
            before = 0
            for since, worth in timeline:
                if before == 0 and worth > 0:
                    instants.add(since)
                before = worth
        for number, at in enumerate(sorted(instants)):
            yield Told("returning_customers" if number else "new_customers", at, self.usual(at))

    # --- what else happens -------------------------------------------------------------------------------------------

    def simple(self) -> Iterator[Told]:
        """`accounts_added`, `purchases`, `purchase_revenue`, `referrals` and `platform_time`."""
        added_at = self.account.added_at
        if self.known(added_at):
            yield Told("accounts_added", added_at, self.usual(added_at))
        for purchase in self.account.purchases:
            at = purchase.get("at")
            if self.known(at):
                yield Told("purchases", at, self.usual(at))
                paid = self.rules.money.converted(purchase.get("amount"), purchase.get("currency"), at)
                if paid is not None:
                    yield Told("purchase_revenue", at, self.usual(at), paid)
        for referral in self.account.referrals:
            if self.known(referral.get("at")):
                yield Told("referrals", referral["at"], self.usual(referral["at"]))
        for used in self.account.usage:
            if self.known(used.get("at")) and used.get("seconds") is not None:
                yield Told("platform_time", used["at"], self.usual(used["at"]), used["seconds"] * 1000)

    def surveys(self) -> Iterator[Told]:
        """Answers to how content one is, and whether one would recommend us."""
        for survey in self.account.surveys:
            at, kind, score = survey.get("at"), survey.get("kind"), survey.get("score")
            if not self.known(at):
                continue
            dims = self.usual(at, survey.get("rep"))
            if kind == "csat" and score in CSAT:
                yield Told("csat_answers", at, dims)
                yield Told("csat_points", at, dims, survey["score"])
            if kind == "nps" and score in NPS:
                yield Told("nps_answers", at, dims)
                if score in PROMOTERS:
                    yield Told("nps_promoters", at, dims)
                if score in DETRACTORS:
                    yield Told("nps_detractors", at, dims)

    def tickets(self) -> Iterator[Told]:
        """`tickets_opened`, and `ticket_resolution_time` at the end."""
        for ticket in self.account.tickets:
            opened_at, closed_at, rep = ticket.get("opened_at"), ticket.get("closed_at"), ticket.get("rep")
            if self.known(opened_at):
                yield Told("tickets_opened", opened_at, self.usual(opened_at, rep))
            if opened_at is not None and self.known(closed_at):
                waited: int = max(closed_at - opened_at, 0)
                yield Told("ticket_resolution_time", closed_at, self.usual(closed_at, rep), waited)


def _worth(timeline: list[tuple[int, int]], at: int) -> int:
    """What a subscription is worth at an instant."""
    number = bisect_right(timeline, at, key=lambda entry: entry[0])
    return timeline[number - 1][1] if number else 0
