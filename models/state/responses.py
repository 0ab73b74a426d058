"""What an account is told by its leads: who answered there, and when. It is derived from a lead's state alone.

Each reply by a person goes to the account that the lead belongs to, as an object of the account, with the lead's owner at that
instant. So an account that was merged, restored or erased needs nothing of its own for it.
"""

from collections.abc import Mapping
from typing import Any, Final

from models.state.lead import Lead, pack
from models.state.registers import DELETED, fields_of
from models.state.subjects import KIND, beside
from models.units import SubjectId

RESPONSE: Final = "response"
"""The kind of object of an account that a reply of one of its leads is."""

HUMAN_KINDS: Final = frozenset({None, "human"})
"""What replies that a person wrote say of their kind."""

_VERSION: Final = (0, 0)
"""A derived object has but one version: what it is made of decides."""


def told_of_replies(event_key: str | None) -> bool:
    """Whether a change of this object of a lead, or (None) of the lead itself, can change what its account is told."""
    return event_key is None or event_key.startswith("reply:")


def responses(lead: Lead, own: str) -> tuple[SubjectId, bytes] | None:
    """The account of a lead that stands for itself, and what it is told, packed; None if there is nothing to tell."""
    fields = fields_of(lead.record)
    account = fields.get("account")
    if account is None or fields.get(DELETED) or KIND in fields:
        return None
    owners = sorted(lead.owner.items())
    objects: dict[str, Any] = {}
    for name, record in lead.objects.items():
        if name.startswith("reply:"):
            reply = fields_of(record)
            if _is_response(reply):
                told = {"at": reply["at"], "rep": _owner_at(owners, reply["at"])}
                objects[f"{RESPONSE}:{own}/{name}"] = [(*_VERSION, told)]
    if not objects:
        return None
    return beside(own, "account", account), pack(Lead(objects=objects), {})


def _is_response(reply: Mapping[str, Any]) -> bool:
    return not reply.get(DELETED) and reply.get("at") is not None and reply.get("kind") in HUMAN_KINDS


def _owner_at(owners: list[tuple[int, Any]], at: int) -> str | None:
    found: str | None = None
    for since, (_, _, owner) in owners:
        if since > at:
            break
        found = owner
    return found
