"""Small histories for tests: canonical events in which only the fields that matter are set, and what the oracle makes of them.

Instants are ms; `at(...)` reads them from text. An event's version time is its `version`, else the latest thing it tells.
"""

from datetime import date, datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from models.units import Millis, isoformat, millis
from streams.local.truth import ledger_of, truth
from streams.local.truth_facts import rules_of

Event = dict[str, Any]

_numbers = count(1)


def at(text: str, zone: str = "UTC") -> Millis:
    """An instant from a local time such as `2026-03-02 12:00`."""
    return millis(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


NOON = at("2026-03-02 12:00")
ZERO = {"mean": 0, "ratio": 0, "p50": 0, "p90": 0, "p95": 0, "max": 0}
RULES: dict[str, Any] = {
    "roster": [
        {"rep": "bo", "team": "north"},
        {"rep": "cy", "team": "north"},
        {"rep": "cy", "team": "south", "from": date(2026, 3, 2)},
        {"rep": "di", "team": "south"},
    ],
    "minimum_n": ZERO,
}


LEVELS = ("leads_awaiting", "leads_overdue", "oldest", "open_opportunities", "pipeline_value")
"""What is a level of now, without a window, by a part of its name."""

NOW = {
    *("mrr_eur", "arr_eur", "customers", "subscriptions_live", "reps_employed", "rep_tenure_total_seconds"),
    *("competitor_prices_eur", "competitor_quotes", "revenue_per_account_mean_eur", "client_outcomes_subscriptions_mean"),
    "rep_tenure_mean_seconds",
}
"""The same by its name."""


def value(events: list[dict[str, Any]], name: str, *, clock: int = NOON, rules: dict[str, Any] = RULES, **labels: str) -> Any:
    """What a series says, None if it is absent; of a quantile the exact value. The window is 24h unless given."""
    is_level = name in NOW or any(level in name for level in LEVELS)
    wanted = labels if is_level else {"window": "24h"} | labels
    found = truth(events, rules, clock).get((f"leadbeat_{name}", frozenset(wanted.items())))
    return found[0] if isinstance(found, tuple) else found


def sliced(events: list[Event], measure: str, rules: dict[str, Any] = RULES, clock: int = NOON) -> dict[str, int]:
    """How much of a measure there is in each slice of one dimension, as `dimension=value`."""
    ledger = ledger_of(events, rules_of(rules), clock)
    found: dict[str, int] = {}
    for (name, (dims, values)), occurrences in ledger.flows.items():
        if name == measure and len(dims) == 1:
            found[f"{dims[0]}={values[0]}"] = sum(amount for _, amount in occurrences)
    for (name, (dims, values)), amount in ledger.levels.items():
        if name == measure and len(dims) == 1:
            found[f"{dims[0]}={values[0]}"] = amount
    return found


def lead(subject: str = "ada", *, version: int | None = None, sequence: int = 0, **data: Any) -> Event:
    """The lead's own record."""
    return _event("lead.upserted", subject, None, version, sequence, data)


def inquiry(identity: str, subject: str = "ada", *, version: int | None = None, **data: Any) -> Event:
    return _event("inquiry.upserted", subject, ("inquiry", identity), version, 0, data)


def touch(identity: str, subject: str = "ada", *, version: int | None = None, sequence: int = 0, **data: Any) -> Event:
    return _event("touch.upserted", subject, ("touch", identity), version, sequence, data)


def call(identity: str, when: int, subject: str = "ada", **data: Any) -> Event:
    """A call at an instant."""
    return touch(identity, subject, **{"at": when, "channel": "call"} | data)


def email(identity: str, when: int, subject: str = "ada", **data: Any) -> Event:
    """An e-mail at an instant."""
    return touch(identity, subject, **{"at": when, "channel": "email"} | data)


def reply(identity: str, subject: str = "ada", *, version: int | None = None, **data: Any) -> Event:
    return _event("reply.upserted", subject, ("reply", identity), version, 0, data)


def meeting(identity: str, subject: str = "ada", *, version: int | None = None, **data: Any) -> Event:
    return _event("meeting.upserted", subject, ("meeting", identity), version, 0, data)


def deal(identity: str = "d", subject: str = "ada", *, version: int | None = None, sequence: int = 0, **data: Any) -> Event:
    return _event("deal.upserted", subject, ("deal", identity), version, sequence, data)


def deleted(version: int, subject: str = "ada", thing: tuple[str, str] | None = None, *, of: str = "lead") -> Event:
    return _event("deleted", subject, thing, version, 0, None, of)


def restored(version: int, subject: str = "ada", thing: tuple[str, str] | None = None, *, of: str = "lead") -> Event:
    return _event("restored", subject, thing, version, 0, None, of)


def merged(version: int, subject: str, into: str | None, *, of: str = "lead") -> Event:
    """A lead, or a subject of another kind, is merged into another, or (None) stands for itself again."""
    event = _event("merged", subject, None, version, 0, None, of)
    return event | {"into": None if into is None else {"kind": of, "id": into}}


def erased(version: int, subject: str = "ada", *, of: str = "lead") -> Event:
    return _event("erased", subject, None, version, 0, None, of)


def account(subject: str = "acme", *, version: int | None = None, sequence: int = 0, **data: Any) -> Event:
    """An account's own record."""
    return _event("account.upserted", subject, None, version, sequence, data, "account")


def of_account(
    kind: str, identity: str, subject: str = "acme", *, version: int | None = None, sequence: int = 0, **data: Any
) -> Event:
    """An object of an account: subscription, purchase, survey, ticket, usage or referral. `survey` says of which kind it is."""
    told = {"kind" if name == "survey" else name: value for name, value in data.items()}
    return _event(f"{kind}.upserted", subject, (kind, identity), version, sequence, told, "account")


def subscription(mrr: int | None, effective: int, subject: str = "acme", identity: str = "s", **data: Any) -> Event:
    """What a subscription costs a month from an instant on."""
    return of_account("subscription", identity, subject, **{"mrr": mrr, "effective_at": effective} | data)


def rep(subject: str = "bo", *, version: int | None = None, **data: Any) -> Event:
    """A rep's own record."""
    return _event("rep.upserted", subject, None, version, 0, data, "rep")


def of_rep(kind: str, identity: str, subject: str = "bo", *, version: int | None = None, **data: Any) -> Event:
    """An object of a rep: time or employee_survey."""
    return _event(f"{kind}.upserted", subject, (kind, identity), version, 0, data, "rep")


def campaign(subject: str = "spring", *, version: int = NOON, **data: Any) -> Event:
    """A campaign's own record."""
    return _event("campaign.upserted", subject, None, version, 0, data, "campaign")


def of_campaign(kind: str, identity: str, subject: str = "spring", *, version: int = NOON, **data: Any) -> Event:
    """An object of a campaign: day, cost or quote."""
    return _event(f"{kind}.upserted", subject, (kind, identity), version, 0, data, "campaign")


def proposal(identity: str, subject: str = "ada", *, version: int | None = None, **data: Any) -> Event:
    return _event("proposal.upserted", subject, ("proposal", identity), version, 0, data)


def nurture(identity: str, subject: str = "ada", *, version: int | None = None, **data: Any) -> Event:
    return _event("nurture.upserted", subject, ("nurture", identity), version, 0, data)


def _event(
    kind: str,
    subject: str,
    thing: tuple[str, str] | None,
    version: int | None,
    sequence: int,
    data: dict[str, Any] | None,
    of: str = "lead",
) -> Event:
    instants = [value for name, value in (data or {}).items() if _is_instant(name) and value is not None]
    event: Event = {
        "id": f"event-{next(_numbers)}",
        "type": kind,
        "timestamp": isoformat(Millis(version if version is not None else max(instants))),
        "subject": {"kind": of, "id": subject},
        "sequence": sequence,
    }
    if thing is not None:
        event["object"] = {"kind": thing[0], "id": thing[1]}
    if data is not None:
        event["data"] = {
            name: isoformat(Millis(value)) if _is_instant(name) and value is not None else value for name, value in data.items()
        }
    return event


def _is_instant(name: str) -> bool:
    return name == "at" or name.endswith(("_at", "employed_from", "employed_until"))
