"""Opportunities of Close: the deals of our leads, and what they say of the lead's stage and owner."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from msgspec import UNSET, UnsetType

from models.data.fields import Stage
from models.data.leads import DealData, LeadData
from models.errors import InvalidEventError
from streams.inbound.identity import SubjectId
from streams.inbound.providers.close.bodies import DATA, PREVIOUS, Body, Opportunity, Prospect, of, utc
from streams.inbound.providers.close.owners import owner_of
from streams.inbound.providers.close.telling import Case

DEAL_STAGES: Final[Mapping[str | None, Stage]] = {"active": "opportunity", "won": "customer"}
"""What an opportunity says of its lead's stage; a lost one says nothing."""

PERIODS: Final[Mapping[str | None, tuple[int, int]]] = {"monthly": (12, 12), "annual": (1, 12)}
"""How many times the value is paid in the term that we take, a year, and how many months that has; else it is paid once."""


def tell(case: Case) -> None:
    """Tell what a change of an opportunity says. Raises InvalidEventError if it cannot be read."""
    change, name = case.change, case.change.object()
    body = change.before() if change.is_deletion else change.now()
    subject = _subject_of(body, PREVIOUS if change.is_deletion else DATA)
    if subject is None:
        raise InvalidEventError(PREVIOUS if change.is_deletion else DATA, "names no contact and no lead")
    if change.is_deletion:
        case.telling.deleted(subject, name, DealData())
        return
    deal = of(Opportunity, body)
    _tell_lead(case, subject, body, deal)
    is_new, left = change.is_creation, _subject_of(change.before(), PREVIOUS) if change.previous_data else None
    if left is not None and left != subject:
        is_new = True
        case.telling.deleted(left, name, DealData())
        case.telling.arrived(subject, name, DealData())
    case.telling.upserted(subject, name, _deal(case, deal, is_new=is_new))


def _subject_of(body: Body, place: str) -> SubjectId | None:
    prospect = of(Prospect, body, place)
    return prospect.contact_id or prospect.lead_id


def _tell_lead(case: Case, subject: SubjectId, body: Body, deal: Opportunity) -> None:
    """How far the contact has come, and (if nothing else does) whose it is."""
    change = case.change
    stage = DEAL_STAGES.get(deal.status_type, UNSET) if change.has_changed("status_type", "status_id", "contact_id") else UNSET
    owner = owner_of(case, body, is_new=change.has_changed("contact_id"))
    case.telling.lead(subject, LeadData(stage=stage, owner=owner))


def _deal(case: Case, deal: Opportunity, *, is_new: bool) -> DealData:
    """All that stands is told each time, so that what was never received is made good; the stage from when it is news."""
    times, months = PERIODS.get(deal.value_period, (1, None))
    is_news = is_new or case.change.has_changed("status_type", "status_id", "status_label")
    return DealData(
        created_at=UNSET if deal.date_created is None else utc(deal.date_created),
        rep=UNSET if deal.user_id is None else case.rep(deal.user_id),
        stage=deal.status_label if is_news and deal.status_label else UNSET,
        amount=None if deal.value is None else deal.value * times,
        currency=deal.value_currency,
        term_months=months,
        outcome=_ENDS.get(deal.status_type),
        closed_at=_closed_at(case, deal),
    )


_ENDS: Final[Mapping[str | None, Literal["won", "lost"]]] = {"won": "won", "lost": "lost"}


def _closed_at(case: Case, deal: Opportunity) -> datetime | None | UnsetType:
    """Noon (UTC) of the day that the opportunity names, which is that day in most of the world; never after the change itself.

    If it names none, the instant of the change that closed it.
    """
    if deal.status_type not in _ENDS:
        return None
    named, version = deal.date_won if deal.status_type == "won" else deal.date_lost, case.telling.version
    if named is None:
        return version if case.change.has_changed("status_type", "status_id") else UNSET
    try:
        day = datetime.fromisoformat(named)
    except ValueError:
        raise InvalidEventError(f"{DATA}.date_{deal.status_type}", "is no date") from None
    return min(utc(day.replace(hour=12) if len(named) == _A_DAY else day), version)


_A_DAY: Final = len("2026-01-31")
