"""The canonical events that one change of Close becomes, as they are told one after another."""

from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from msgspec import UNSET

from models.events import (
    Deleted,
    Event,
    InquiryData,
    InquiryUpserted,
    LeadData,
    LeadUpserted,
    MeetingData,
    MeetingUpserted,
    Merged,
    ObjectRef,
    ObjectUpserted,
    ReplyData,
    ReplyUpserted,
    Restored,
    SubjectRef,
    TouchData,
    TouchUpserted,
)
from models.units import millis
from streams.config import CloseSettings
from streams.inbound.identity import SubjectId
from streams.inbound.providers.close.bodies import Change

ObjectData: TypeAlias = InquiryData | TouchData | ReplyData | MeetingData
Kind: TypeAlias = Literal["inquiry", "touch", "reply", "meeting"]

_UPSERTS: Final[dict[type[ObjectData], tuple[Kind, type[ObjectUpserted]]]] = {
    InquiryData: ("inquiry", InquiryUpserted),
    TouchData: ("touch", TouchUpserted),
    ReplyData: ("reply", ReplyUpserted),
    MeetingData: ("meeting", MeetingUpserted),
}


class Telling:
    """Events of one version, with ids made of the change's, the version and a number."""

    def __init__(self, change: str, version: datetime) -> None:
        self.events: list[Event] = []
        self._change, self.version = f"{change}:{millis(version)}", version

    def lead(self, subject: SubjectId, data: LeadData) -> None:
        """The subject's own record, if that says anything."""
        if any(getattr(data, name) is not UNSET for name in data.__struct_fields__):
            self.events.append(LeadUpserted(**self._head(subject), data=data))

    def upserted(self, subject: SubjectId, name: str, data: ObjectData) -> None:
        """An object of the subject is new or changed."""
        kind, upsert = _UPSERTS[type(data)]
        self.events.append(upsert(**self._head(subject), object=ObjectRef(kind, name), data=data))  # type: ignore[arg-type]

    def deleted(self, subject: SubjectId, name: str | None = None, data: ObjectData | None = None) -> None:
        """The subject, or the object that this data is of, is gone."""
        self.events.append(Deleted(**self._head(subject), object=_object(name, data)))

    def arrived(self, subject: SubjectId, name: str, data: ObjectData) -> None:
        """The object now belongs to this subject, and is told to be deleted from another.

        It may have been here before, and deleted then. The sequence lets it stand also where both subjects are merged.
        """
        self.events.append(Restored(**self._head(subject, sequence=1), object=_object(name, data)))

    def merged(self, subject: SubjectId, into: SubjectId | None) -> None:
        """The subject is merged into another, or (None) stands for itself again."""
        self.events.append(Merged(**self._head(subject), into=None if into is None else SubjectRef("lead", into)))

    def _head(self, subject: SubjectId, sequence: int = 0) -> dict[str, Any]:
        return {
            "id": f"{self._change}:{len(self.events) + 1}",
            "timestamp": self.version,
            "subject": SubjectRef("lead", subject),
            "sequence": sequence,
        }


def _object(name: str | None, data: ObjectData | None) -> ObjectRef | None:
    return None if name is None or data is None else ObjectRef(_UPSERTS[type(data)][0], name)


class Case(NamedTuple):
    """A change, where its events are told, and by which settings of the connection."""

    change: Change
    telling: Telling
    settings: CloseSettings
    email_key: bytes

    def rep(self, user: str | None) -> str | None:
        """The name of a user of Close."""
        return None if user is None else self.settings.reps.get(user, user)
