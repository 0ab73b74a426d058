"""The canonical events that one change of Close becomes, as they are told one after another."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from msgspec import UNSET

from models.data.leads import DealData, InquiryData, LeadData, MeetingData, ReplyData, TouchData
from models.data.refs import DealRef, InquiryRef, LeadRef, MeetingRef, ObjectRef, ReplyRef, SubjectRef, TouchRef
from models.events import (
    DealUpserted,
    Deleted,
    Event,
    InquiryUpserted,
    LeadUpserted,
    MeetingUpserted,
    Merged,
    ReplyUpserted,
    Restored,
    TouchUpserted,
)
from models.units import millis
from streams.config import CloseSettings
from streams.inbound.identity import SubjectId
from streams.inbound.providers.close.bodies import Change

ObjectData: TypeAlias = InquiryData | TouchData | ReplyData | MeetingData | DealData
Kind: TypeAlias = Literal["inquiry", "touch", "reply", "meeting", "deal"]

_KINDS: Final[Mapping[type[ObjectData], Kind]] = {
    InquiryData: "inquiry",
    TouchData: "touch",
    ReplyData: "reply",
    MeetingData: "meeting",
    DealData: "deal",
}


class Telling:
    """Events of one version, with ids made of the change's, the version and a number."""

    def __init__(self, change: str, version: datetime) -> None:
        self.events: list[Event] = []
        self._change, self.version = f"{change}:{millis(version)}", version

    def lead(self, subject: SubjectId, data: LeadData) -> None:
        """The subject's own record, if that says anything."""
        if any(getattr(data, name) is not UNSET for name in data.__struct_fields__):
            self.events.append(LeadUpserted(**self._head(LeadRef("lead", subject)), data=data))

    def upserted(self, subject: SubjectId, name: str, data: ObjectData) -> None:
        """An object of the subject is new or changed."""
        self.events.append(_upsert(self._head(LeadRef("lead", subject)), name, data))

    def deleted(self, subject: SubjectId, name: str | None = None, data: ObjectData | None = None) -> None:
        """The subject, or the object that this data is of, is gone."""
        self.events.append(Deleted(**self._head(SubjectRef("lead", subject)), object=_object(name, data)))

    def arrived(self, subject: SubjectId, name: str, data: ObjectData) -> None:
        """The object now belongs to this subject, and is told to be deleted from another.

        It may have been here before, and deleted then. The sequence lets it stand also where both subjects are merged.
        """
        self.events.append(Restored(**self._head(SubjectRef("lead", subject), sequence=1), object=_object(name, data)))

    def merged(self, subject: SubjectId, into: SubjectId | None) -> None:
        """The subject is merged into another, or (None) stands for itself again."""
        target = None if into is None else SubjectRef("lead", into)
        self.events.append(Merged(**self._head(SubjectRef("lead", subject)), into=target))

    def _head(self, subject: LeadRef | SubjectRef, sequence: int = 0) -> dict[str, Any]:
        return {
            "id": f"{self._change}:{len(self.events) + 1}",
            "timestamp": self.version,
            "subject": subject,
            "sequence": sequence,
        }


def _upsert(head: dict[str, Any], name: str, data: ObjectData) -> Event:
    match data:
        case InquiryData():
            return InquiryUpserted(**head, object=InquiryRef("inquiry", name), data=data)
        case TouchData():
            return TouchUpserted(**head, object=TouchRef("touch", name), data=data)
        case ReplyData():
            return ReplyUpserted(**head, object=ReplyRef("reply", name), data=data)
        case MeetingData():
            return MeetingUpserted(**head, object=MeetingRef("meeting", name), data=data)
        case DealData():
            return DealUpserted(**head, object=DealRef("deal", name), data=data)


def _object(name: str | None, data: ObjectData | None) -> ObjectRef | None:
    return None if name is None or data is None else ObjectRef(_KINDS[type(data)], name)


class Case(NamedTuple):
    """A change, where its events are told, and by which settings of the connection."""

    change: Change
    telling: Telling
    settings: CloseSettings
    email_key: bytes

    def rep(self, user: str | None) -> str | None:
        """The name of a user of Close."""
        return None if user is None else self.settings.reps.get(user, user)
