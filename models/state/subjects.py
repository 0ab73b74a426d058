"""Subjects that are no leads: how their ids and records say what they are.

A lead goes by its connection, a colon and its CRM's id, as in `crm:4711`; anything else has its kind before that, as in
`account/crm:a1`. A connection's name has no slash, so that no two are alike.
"""

from typing import Final, Literal, TypeAlias

from models.state.registers import Record, put
from models.units import SubjectId

KIND: Final = "subject_kind"
"""The field of a subject's record that says of which kind it is; leads have none."""

CALLED: Final = "called"
"""The field of a subject's record with its own name, as in the CRM."""

Kind: TypeAlias = Literal["lead", "account", "rep", "campaign"]

LEAD: Final = "lead"
REP: Final = "rep"
CAMPAIGN: Final = "campaign"

_KINDS: Final[dict[str, Kind]] = {"account/": "account", "rep/": REP, "campaign/": CAMPAIGN}

_OLDEST: Final = -1
"""A version time before any other."""


def identity(kind: str, connection: str, name: str) -> SubjectId:
    """The id of a subject across the whole system."""
    own = f"{connection}:{name}"
    return SubjectId(own if kind == LEAD else f"{kind}/{own}")


def beside(own: str, kind: Kind, name: str) -> SubjectId:
    """The id of a subject that a lead names, which is of the same CRM."""
    return SubjectId(f"{kind}/{own[: own.find(':') + 1]}{name}")


def kind_of(subject: str) -> Kind:
    """The kind of a subject, by its id."""
    kind, slash, _ = subject.partition("/")
    return _KINDS.get(kind + slash, LEAD)


def mark(record: Record, kind: str, subject: str) -> bool:
    """Have the record of a subject that is no lead say what it is; tell whether that was new."""
    called = subject.partition(":")[2] or subject
    return put(record, _OLDEST, 0, {KIND: kind, CALLED: called})
