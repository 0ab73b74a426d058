"""What an account is told by its leads: who answered there, and when. It is derived from a lead's state alone.

Each reply by a person goes to the account that the lead belongs to, as an object of the account, with the lead's owner at that
instant. So an account that was merged, restored or erased needs nothing of its own for it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

from models.state.lead import Lead, pack
from models.state.pages import ObjectKey, Objects
from models.state.registers import DELETED, Fields, Register, fields_of, standing
from models.state.subjects import beside
from models.units import SubjectId

RESPONSE: Final = "response"
"""The kind of object of an account that a reply of one of its leads is."""

HUMAN_KINDS: Final = frozenset({None, "human"})
"""What replies that a person wrote say of their kind."""

_REPLY: Final = "reply:"
_VERSION: Final = (0, 0)
"""A derived object has but one version: what it is made of decides."""


def tells_of_replies(key: ObjectKey | None) -> bool:
    """Whether a change of this object of a lead, or (None) of the lead itself, can change what its account is told."""
    return key is None or key.startswith(_REPLY)


def account_of(lead: Lead, own: str) -> SubjectId | None:
    """The account that a lead which stands for itself tells of its replies; None if there is none, or nothing to tell.

    Of a lead whose replies were forgotten something may have been told that is to be taken back one day.
    """
    fields = fields_of(lead.record)
    account = fields.get("account")
    if account is None or fields.get(DELETED):
        return None
    tells = lead.retired_until or any(True for _ in _responses(lead))
    return beside(own, "account", account) if tells else None


def responses(lead: Lead, own: str) -> bytes:
    """What the account of a lead is told, packed: an object for each reply by a person."""
    owners = sorted(lead.owner.items())
    objects: Objects = {
        f"{RESPONSE}:{own}/{name}": [(*_VERSION, {"at": reply["at"], "rep": _owner_at(owners, reply["at"])})]
        for name, reply in _responses(lead)
    }
    return pack(Lead(objects=objects), {})


def _responses(lead: Lead) -> Iterator[tuple[ObjectKey, Fields]]:
    """The replies of persons that stand."""
    for name, reply in standing(lead.objects, _REPLY):
        if reply.get("at") is not None and reply.get("kind") in HUMAN_KINDS:
            yield name, reply


def _owner_at(owners: Sequence[tuple[int, Register]], at: int) -> str | None:
    held = bisect_right(owners, at, key=itemgetter(0))
    owner: str | None = owners[held - 1][1][2] if held else None
    return owner
