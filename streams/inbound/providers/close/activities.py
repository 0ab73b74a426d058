"""Activities of Close: calls, e-mails, messages, meetings, forms. What each says, and about whom."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from msgspec import UNSET, UnsetType

from models.data.fields import Channel
from models.data.leads import InquiryData, MeetingData, ReplyData, TouchData
from models.errors import InvalidEventError
from streams.config import CloseSettings
from streams.inbound.identity import SubjectId, address_in, email_subject
from streams.inbound.providers.close.bodies import (
    DATA,
    PREVIOUS,
    Activity,
    Call,
    CustomActivity,
    FormSubmission,
    Meeting,
    Message,
    of,
    utc,
)
from streams.inbound.providers.close.telling import Case, ObjectData

NOT_MADE: Final = frozenset({"blocked", "error"})
"""Calls that Close did not let happen, or that failed on its side."""

CANCELLED: Final = frozenset({"canceled", "declined-by-lead", "declined-by-org"})
POSTMASTERS: Final = frozenset({"mailer-daemon", "postmaster"})
STOP_WORDS: Final = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit"})
"""The words that carriers take as an opt-out from text messages."""

_AUTOMATIC = re.compile(
    r"\s*(?:automatic reply|auto-?reply|out of (?:the )?office|automatische antwort|abwesenheit|réponse automatique"
    r"|respuesta automática|risposta automatica)",
    re.IGNORECASE,
)
"""How the subjects of mail programs' absence notes begin."""

_Says: TypeAlias = Callable[[Any, Case], Iterator[ObjectData]]


def tell(case: Case) -> bool:
    """Tell what a change of an activity says; False if it is of no type that is used. Raises InvalidEventError."""
    change, telling = case.change, case.telling
    if change.object_type not in _ACTIVITIES:
        return False
    name, (shape, says) = change.object(), _ACTIVITIES[change.object_type]
    activity = of(shape, change.before() if change.is_deletion else change.now())
    facts = list(says(activity, case))
    if not facts:
        return True
    subject = _subject_of(activity, case)
    if subject is None:
        raise InvalidEventError(DATA, "names no contact, no lead and no address")
    left = None if change.is_deletion else _left(case)
    for data in facts:
        if change.is_deletion:
            telling.deleted(subject, name, data)
            continue
        if left is not None and left != subject:
            telling.deleted(left, name, data)
            telling.arrived(subject, name, data)
        telling.upserted(subject, name, data)
    return True


def _left(case: Case) -> SubjectId | None:
    """Whom the activity was told of before, if of anybody."""
    change = case.change
    if not change.previous_data:
        return None
    shape, says = _ACTIVITIES[change.object_type]
    before = of(shape, change.before(), PREVIOUS)
    return _subject_of(before, case) if any(True for _ in says(before, case)) else None


def _subject_of(activity: Activity, case: Case) -> SubjectId | None:
    """The contact, else the one known by address, else the company.

    Of several that were invited it is always the same one, in whatever order they stand.
    """
    if activity.contact_id is not None:
        return activity.contact_id
    if isinstance(activity, Meeting):
        people = [attendee.contact_id for attendee in activity.attendees or () if attendee.contact_id is not None]
        if people:
            return min(people)
    subjects = [subject for text in _addresses(activity) if (subject := email_subject(text, case.email_key))]
    return min(subjects) if subjects else activity.lead_id


def _addresses(activity: Activity) -> list[str]:
    """The addresses of prospects by which an activity may be known; of an e-mail's recipients it is the first."""
    match activity:
        case Meeting(attendees=[*attendees]):
            return [each.email for each in attendees if each.email is not None and each.user_id is None]
        case Message(came=True, sender=str(sender)) if _kind_of(activity) != "bounce":
            return [sender]
        case Message(came=False, to=[first, *_]):
            return [first]
    return []


def _call(call: Call, case: Case) -> Iterator[ObjectData]:
    """An outbound call is a touch from its first ring. An inbound one is a reply if answered, else an inquiry: they wait."""
    at = _happened(call)
    if call.came:
        if call.disposition == "answered":
            yield ReplyData(at=at, channel="call", kind="human")
        elif call.disposition is not None and call.disposition not in NOT_MADE:
            yield InquiryData(at=at)
        return
    yield TouchData(
        at=None if call.disposition in NOT_MADE else at,
        channel="call",
        rep=case.rep(call.user_id),
        automated=call.agent_config_id is not None or call.disposition == "abandoned",
        connected=_connected(call, case),
    )


def _connected(call: Call, case: Case) -> bool | UnsetType:
    """Whether somebody answered: by the disposition, else by the action or by its having lasted; unknown while it rings."""
    if call.disposition is not None:
        return call.disposition == "answered"
    if case.change.action == "answered":
        return True
    return UNSET if call.status in {None, "created", "in-progress"} else call.status == "completed" and bool(call.duration)


def _message(message: Message, case: Case, channel: Channel) -> Iterator[ObjectData]:
    """What came is a reply, what went out a touch; a draft, or what is not sent yet, is neither."""
    at = _happened(message, message.date_sent)
    if message.came:
        answered = message.in_reply_to_id or message.response_to_id
        yield ReplyData(at=at, channel=channel, kind=_kind_of(message), in_reply_to=UNSET if answered is None else answered)
    elif message.status in {None, "sent"}:
        yield TouchData(at=at, channel=channel, rep=case.rep(message.user_id), automated=_is_automated(message))


def _email(email: Message, case: Case) -> Iterator[ObjectData]:
    yield from _message(email, case, "email")


def _text_message(message: Message, case: Case) -> Iterator[ObjectData]:
    yield from _message(message, case, "message")


def _is_automated(message: Message) -> bool:
    """Whether a workflow, a bulk action or a voice or writing agent has sent it, and not a person."""
    senders = (message.sequence_id, message.sequence_subscription_id, message.bulk_email_action_id, message.agent_config_id)
    return any(sender is not None for sender in senders)


def _kind_of(message: Message) -> Literal["human", "out_of_office", "bounce", "unsubscribe"]:
    address = address_in(message.sender or "") or ""
    if address.partition("@")[0] in POSTMASTERS:
        return "bounce"
    if _AUTOMATIC.match(message.subject or ""):
        return "out_of_office"
    return "unsubscribe" if (message.text or "").strip().casefold() in STOP_WORDS else "human"


def _meeting(meeting: Meeting, case: Case) -> Iterator[ObjectData]:
    """A meeting is its user's, unless the prospect has set it up.

    That its time has passed (`completed`) does not say that people came: that is said by its outcome alone.
    """
    invited = any(each.is_organizer and each.contact_id is not None for each in meeting.attendees or ())
    yield MeetingData(
        booked_at=_instant(meeting.date_created),
        scheduled_at=_instant(meeting.starts_at),
        rep=None if invited else case.rep(meeting.user_id),
        kind=_kind_of_meeting(meeting.title or "", case.settings),
        outcome=case.settings.outcomes.get(meeting.outcome_id or "", "cancelled" if meeting.status in CANCELLED else None),
    )


def _kind_of_meeting(title: str, settings: CloseSettings) -> str | None:
    words = set(re.findall(r"\w+", title.casefold()))
    return next((kind for word, kind in settings.meeting_kinds.items() if word.casefold() in words), None)


def _form(form: FormSubmission, case: Case) -> Iterator[ObjectData]:  # noqa: ARG001
    yield InquiryData(at=_happened(form))


def _custom(activity: CustomActivity, case: Case) -> Iterator[ObjectData]:
    channel = case.settings.custom_activities.get(activity.custom_activity_type_id or "")
    if channel is not None and activity.status != "draft":
        automated = activity.agent_config_id is not None
        yield TouchData(at=_happened(activity), channel=channel, rep=case.rep(activity.user_id), automated=automated)


def _happened(activity: Activity, sent: datetime | None = None) -> datetime | UnsetType:
    return _instant(sent or activity.activity_at or activity.date_created)


def _instant(instant: datetime | None) -> datetime | UnsetType:
    return UNSET if instant is None else utc(instant)


_ACTIVITIES: Final[Mapping[str, tuple[type[Activity], _Says]]] = {
    "activity.call": (Call, _call),
    "activity.email": (Message, _email),
    "activity.sms": (Message, _text_message),
    "activity.whatsapp_message": (Message, _text_message),
    "activity.meeting": (Meeting, _meeting),
    "activity.form_submission": (FormSubmission, _form),
    "activity.custom_activity": (CustomActivity, _custom),
}
