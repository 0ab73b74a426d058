"""The bodies of Close, as far as they are used: an entry of the event log, and the objects that it carries.

Fields are named as in https://developer.close.com/api/resources. What is personal and not needed is not even read.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from models.data.fields import CurrencyCode
from models.errors import InvalidEventError
from models.events import decoded
from streams.inbound.providers.contract import Element

Id: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.-]{1,100}\Z")]
Body: TypeAlias = Mapping[str, Any]

DATA = "$.event.data"
PREVIOUS = "$.event.previous_data"

EARLIEST_YEAR, LATEST_YEAR = 1990, 2100

_Shape = TypeVar("_Shape")


class Context(Struct):
    """Where a change came from: all changes of a merge name the Close leads that were merged."""

    merge_source_lead_id: Id | None = None
    merge_destination_lead_id: Id | None = None


class Change(Struct):
    """An entry of the event log: something happened to an object.

    `data` is the object whole (none when it is deleted); `previous_data` what the changed fields were before, or the whole
    object when it is deleted. The log joins changes that follow one another shortly; then `date_updated` moves on.
    """

    id: Id
    object_type: str
    action: str
    object_id: str | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None
    changed_fields: list[str] | None = None
    data: dict[str, Any] | None = None
    previous_data: dict[str, Any] | None = None
    meta: Context | None = None

    @property
    def is_deletion(self) -> bool:
        """Whether the object is gone."""
        return self.action == "deleted"

    @property
    def is_creation(self) -> bool:
        """Whether nothing was known of the object before."""
        return self.action == "created"

    def has_changed(self, *fields: str) -> bool:
        """Whether one of the object's fields is new: that it was created counts as a change of all."""
        return self.is_creation or not set(fields).isdisjoint(self.changed_fields or ())

    def version(self) -> datetime:
        """When the source changed the object, by the object itself or else by the log. Raises InvalidEventError if unknown."""
        of_object = of(_Dated, self.data or {}).date_updated
        version = of_object or self.date_updated or self.date_created
        if version is None:
            raise InvalidEventError("$.event.date_updated", "is missing")
        return utc(version)

    def object(self) -> str:
        """The id of the object. Raises InvalidEventError if there is none that could be one."""
        return of(_Identified, {"object_id": self.object_id}, "$.event").object_id

    def now(self) -> dict[str, Any]:
        """The object as it is. Raises InvalidEventError if the body does not have it."""
        return _there(self.data, DATA)

    def before(self) -> dict[str, Any]:
        """The object as it was before it was deleted, or else before it was changed. Raises InvalidEventError as `now` does."""
        return _there(self.previous_data, PREVIOUS) if self.is_deletion else self.now() | (self.previous_data or {})


class _Dated(Struct):
    date_updated: datetime | None = None


class _Identified(Struct):
    object_id: Id


class _Delivery(Struct):
    event: Change


class Address(Struct):
    """An e-mail address of a contact."""

    email: str


class Contact(Struct):
    """A person at a Close lead."""

    lead_id: Id | None = None
    date_created: datetime | None = None
    emails: list[Address] | None = None


class Lead(Struct):
    """A company, with its status and its contacts."""

    date_created: datetime | None = None
    contact_ids: Annotated[list[Id], Meta(max_length=1000)] | None = None
    status_id: str | None = None
    status_label: str | None = None


class Prospect(Struct):
    """Of whom an opportunity is."""

    lead_id: Id | None = None
    contact_id: Id | None = None


class Opportunity(Prospect):
    """A deal: its value in minor units, paid once, or each month or year; the days on which it was won or lost."""

    user_id: str | None = None
    date_created: datetime | None = None
    status_type: str | None = None
    status_label: Annotated[str, Meta(max_length=200)] | None = None
    value: Annotated[int, Meta(ge=0, le=10**11)] | None = None
    value_currency: CurrencyCode | None = None
    value_period: str | None = None
    date_won: str | None = None
    date_lost: str | None = None


class Unsubscribed(Struct):
    """An address that wants no automated e-mails any more."""

    email: str


class Attendee(Struct):
    """Somebody invited to a meeting: a contact, a user of ours, or known by the address alone."""

    contact_id: Id | None = None
    user_id: str | None = None
    email: str | None = None
    is_organizer: bool | None = None


class Activity(Struct):
    """What activities have, most of them all of it: `activity_at` is when it happened, `user_id` whose it is."""

    contact_id: Id | None = None
    lead_id: Id | None = None
    user_id: Id | None = None
    activity_at: datetime | None = None
    date_created: datetime | None = None
    agent_config_id: str | None = None
    direction: str | None = None
    status: str | None = None

    @property
    def came(self) -> bool:
        """Whether it came from the prospect to us."""
        return self.status == "inbox" if self.direction is None else self.direction in {"inbound", "incoming"}


class Call(Activity):
    """A call; `disposition` is how it ended, once it has."""

    disposition: str | None = None
    duration: float | None = None


class Message(Activity):
    """An e-mail, an SMS or a WhatsApp message; each has some of the fields."""

    date_sent: datetime | None = None
    sender: str | None = None
    to: list[str] | None = None
    subject: str | None = None
    text: str | None = None
    sequence_id: str | None = None
    sequence_subscription_id: str | None = None
    bulk_email_action_id: str | None = None
    in_reply_to_id: Id | None = None
    response_to_id: Id | None = None


class Meeting(Activity):
    """A calendar event with somebody."""

    title: str | None = None
    starts_at: datetime | None = None
    outcome_id: str | None = None
    attendees: list[Attendee] | None = None


class FormSubmission(Activity):
    """A form that was filled in."""


class CustomActivity(Activity):
    """Something of a type that the organisation has made up."""

    custom_activity_type_id: str | None = None


_changes = msgspec.json.Decoder(_Delivery)


def change_of(element: Element) -> Change:
    """The entry of the event log in a body. Raises InvalidEventError with the path of the offending field."""
    return decoded(_changes, element).event


def of(shape: type[_Shape], body: Body, place: str = DATA) -> _Shape:
    """An object's fields. Raises InvalidEventError with the path of the one that is not what it should be."""
    try:
        return msgspec.convert(body, shape)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        what, _, path = str(error).partition(" - at `$")
        raise InvalidEventError(f"{place}{path.rstrip('`')}", what, "see docs/providers.md") from None


def utc(instant: datetime) -> datetime:
    """An instant of Close, which means UTC where it names no zone. Raises InvalidEventError if it is out of this world."""
    if not EARLIEST_YEAR <= instant.year < LATEST_YEAR:
        raise InvalidEventError("$.event", "an instant is outside the years 1990 to 2099")
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _there(body: dict[str, Any] | None, place: str) -> dict[str, Any]:
    if body is None:
        raise InvalidEventError(place, "is missing")
    return body
