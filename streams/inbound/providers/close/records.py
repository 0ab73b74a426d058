"""People and companies of Close: what they say of our leads.

Our lead is Close's contact. What Close tells of the company alone (its status, an owner, a source) goes to each contact that
it has now. The company is a subject, too, for what names no contact; it is merged into its first contact.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, TypeAlias

from msgspec import UNSET, UnsetType

from models.data.fields import Stage
from models.data.leads import LeadData, ReplyData
from models.errors import InvalidEventError
from streams.inbound.identity import SubjectId, email_subject, links
from streams.inbound.providers.close import opportunities
from streams.inbound.providers.close.bodies import DATA, PREVIOUS, Body, Contact, Lead, Unsubscribed, of, utc
from streams.inbound.providers.close.owners import owner_of, text_of
from streams.inbound.providers.close.telling import Case

DIMENSIONS: Final = ("lead_source", "origin", "sales_region", "segment", "campaign")
JOINING: Final = timedelta(minutes=1)
"""How long before a company tells of a new contact what it says of it holds: the contact has been created a little before."""

Teller: TypeAlias = Callable[[Case], None]


def tell(case: Case) -> bool:
    """Tell what a change of a record says; False if it is no record. Raises InvalidEventError if it cannot be read."""
    teller = _TELLERS.get(case.change.object_type)
    if teller is not None:
        teller(case)
    return teller is not None


def _tell_contact(case: Case) -> None:
    change, person = case.change, case.change.object()
    before = of(Contact, change.previous_data or {}, PREVIOUS)
    if change.is_deletion:
        case.telling.deleted(person)
        _link(case, person, (), before)
        return
    body = change.now()
    contact = of(Contact, body)
    created_at = UNSET if contact.date_created is None else utc(contact.date_created)
    owner = owner_of(case, body)
    case.telling.lead(
        person,
        LeadData(
            created_at=created_at,
            account=contact.lead_id,
            owner=owner,
            owner_at=created_at if change.is_creation and owner is not UNSET else UNSET,
            **dict(_dimensions(case, body)),
        ),
    )
    _link(case, person, _addresses(contact), before)


def _link(case: Case, person: SubjectId, carried: Iterable[str], before: Contact) -> None:
    for subject, into in links(person, carried, _addresses(before), case.email_key):
        case.telling.merged(subject, into)


def _addresses(contact: Contact) -> list[str]:
    return [address.email for address in contact.emails or ()]


def _tell_lead(case: Case) -> None:
    """A company. One that is merged into another leaves its contacts to that one, which tells of them itself."""
    change, company = case.change, case.change.object()
    gone, into = (change.meta.merge_source_lead_id, change.meta.merge_destination_lead_id) if change.meta else (None, None)
    if gone is not None and into not in {None, gone}:
        case.telling.merged(gone, into)
    if not change.is_deletion:
        _tell_contacts(case, company, is_merged=company == gone)
    elif company != gone:
        # A merged lead lives on in the other one though it is deleted; what a deleted company has told does not.
        case.telling.merged(company, None)
        case.telling.deleted(company)


def _tell_contacts(case: Case, company: SubjectId, *, is_merged: bool) -> None:
    change, body = case.change, case.change.now()
    lead, before = of(Lead, body), of(Lead, change.previous_data or {}, PREVIOUS)
    contacts = lead.contact_ids or []
    if not is_merged and (contacts if change.is_creation else change.has_changed("contact_ids")):
        case.telling.merged(company, contacts[0] if contacts else None)
    case.telling.lead(company, LeadData(owner=owner_of(case, body), **dict(_dimensions(case, body))))
    known = set(contacts if before.contact_ids is None else before.contact_ids)
    for person in dict.fromkeys(contacts):
        is_new = change.is_creation or person not in known
        case.telling.lead(person, _of_company(case, body, lead, is_new=is_new))


def _of_company(case: Case, body: Body, lead: Lead, *, is_new: bool) -> LeadData:
    """What a company says of a contact: what is new, and to a new one all."""
    change = case.change
    owner = owner_of(case, body, is_new=is_new)
    stage = _stage(case, lead) if is_new or change.has_changed("status_id", "status_label") else UNSET
    created = lead.date_created if change.is_creation and lead.date_created else case.telling.version
    since = utc(created) - JOINING if is_new else UNSET
    return LeadData(
        owner=owner,
        owner_at=UNSET if owner is UNSET else since,
        stage=stage,
        stage_at=UNSET if stage is UNSET else since,
        **dict(_dimensions(case, body)),
    )


def _stage(case: Case, lead: Lead) -> Stage | UnsetType:
    stages = {name.casefold(): stage for name, stage in case.settings.stages.items()}
    names = [name.casefold() for name in (lead.status_id, lead.status_label) if name is not None]
    return next((stages[name] for name in names if name in stages), UNSET)


def _tell_unsubscribed(case: Case) -> None:
    change, telling = case.change, case.telling
    body = change.before() if change.is_deletion else change.now()
    subject = email_subject(of(Unsubscribed, body).email, case.email_key)
    if subject is None:
        raise InvalidEventError(f"{PREVIOUS if change.is_deletion else DATA}.email", "is no address")
    name = subject.replace(":", "-")
    reply = ReplyData(at=telling.version, channel="email", kind="unsubscribe")
    if change.is_deletion:
        telling.deleted(subject, name, reply)
    else:
        # It may have been there before, and been deleted.
        telling.arrived(subject, name, reply)
        telling.upserted(subject, name, reply)


def _dimensions(case: Case, body: Body) -> Iterator[tuple[str, Any]]:
    """What a record says of our dimensions. A custom field that is not set is absent, and cleared if it was set before."""
    for name in DIMENSIONS:
        field = f"custom.{getattr(case.settings.fields, name)}"
        if field in body or (not case.change.is_creation and case.change.has_changed(field)):
            yield name, text_of(body.get(field))


_TELLERS: Final[Mapping[str, Teller]] = {
    "contact": _tell_contact,
    "lead": _tell_lead,
    "opportunity": opportunities.tell,
    "unsubscribed_email": _tell_unsubscribed,
}
