"""Events of accounts, reps and campaigns for tests, as in `build`: `subscription(of="account/crm:a1", mrr=100_00)`.

What is not said is filled in. The kind of object is the function; `of` is whose it is.
"""

from functools import partial
from typing import Any

from build import NOON, filled, head

import models.events
from models.data import accounts, campaigns, leads, refs, reps
from models.events import Event

ACCOUNT, REP, CAMPAIGN = "account/crm:a1", "rep/crm:ana", "campaign/crm:c1"


def _own(kind: str, usual: str, data: Any, *, changed_at: int = NOON, sequence: int = 0, of: str = "", **fields: Any) -> Event:
    """The own record of a subject."""
    subject = getattr(refs, f"{kind}Ref")(kind.lower(), of or usual)
    event: Event = getattr(models.events, f"{kind}Upserted")(**head(changed_at, sequence, subject), data=filled(data, fields))
    return event


def _object(
    stem: str,
    usual: str,
    data: Any,
    name: str = "1",
    *,
    changed_at: int = NOON,
    sequence: int = 0,
    of: str = "",
    **fields: Any,
) -> Event:
    """An object of a subject."""
    of = of or usual
    reference = getattr(refs, f"{stem}Ref")
    subject = _SUBJECTS[usual](_KINDS[usual], of)
    kind = reference.__annotations__["kind"].__args__[0]
    make = getattr(models.events, f"{stem}Upserted")
    event: Event = make(**head(changed_at, sequence, subject), object=reference(kind, name), data=filled(data, fields))
    return event


_SUBJECTS: dict[str, Any] = {ACCOUNT: refs.AccountRef, REP: refs.RepRef, CAMPAIGN: refs.CampaignRef, "lead-1": refs.LeadRef}
_KINDS = {ACCOUNT: "account", REP: "rep", CAMPAIGN: "campaign", "lead-1": "lead"}

account = partial(_own, "Account", ACCOUNT, accounts.AccountData)
subscription = partial(_object, "Subscription", ACCOUNT, accounts.SubscriptionData)
purchase = partial(_object, "Purchase", ACCOUNT, accounts.PurchaseData)
survey = partial(_object, "Survey", ACCOUNT, accounts.SurveyData)
ticket = partial(_object, "Ticket", ACCOUNT, accounts.TicketData)
usage = partial(_object, "Usage", ACCOUNT, accounts.UsageData)
referral = partial(_object, "Referral", ACCOUNT, accounts.ReferralData)

rep = partial(_own, "Rep", REP, reps.RepData)
time = partial(_object, "Time", REP, reps.TimeData)
employee_survey = partial(_object, "EmployeeSurvey", REP, reps.EmployeeSurveyData)

campaign = partial(_own, "Campaign", CAMPAIGN, campaigns.CampaignData)
day = partial(_object, "Day", CAMPAIGN, campaigns.DayData)
cost = partial(_object, "Cost", CAMPAIGN, campaigns.CostData)
quote = partial(_object, "Quote", CAMPAIGN, campaigns.QuoteData)

proposal = partial(_object, "Proposal", "lead-1", leads.ProposalData)
nurture = partial(_object, "Nurture", "lead-1", leads.NurtureData)

SUBJECT_OF = {
    "account": ("account", "subscription", "purchase", "survey", "ticket", "usage", "referral"),
    "rep": ("rep", "time", "employee_survey"),
    "campaign": ("campaign", "day", "cost", "quote"),
}
"""The events of each kind of subject; all others are of leads, or of any."""


def subject_of(kind: str) -> str:
    """The kind of subject that a type of event is of; a lead where it is of any."""
    name = kind.removesuffix(".upserted")
    return next((subject for subject, names in SUBJECT_OF.items() if name in names), "lead")
