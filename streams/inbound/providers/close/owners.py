"""Whose a record of Close says that somebody is."""

from typing import Final

from msgspec import UNSET, UnsetType

from streams.inbound.providers.close.bodies import Body
from streams.inbound.providers.close.telling import Case

LONGEST_NAME: Final = 200


def owner_of(case: Case, body: Body, *, is_new: bool = False) -> str | None | UnsetType:
    """Who a record says is the owner from this change on, if it says so; `is_new`: to somebody who has not been told before."""
    change, custom = case.change, case.settings.fields.owner
    field = "user_id" if custom is None else f"custom.{custom}"
    if not is_new and not change.has_changed(field):
        return UNSET
    user = text_of(body.get(field))
    if user is None and (change.is_creation or not change.has_changed(field)):
        return UNSET
    return case.rep(user)


def text_of(value: object) -> str | None:
    """A custom field's value, or the first of several, as a name. An address is none: it would tell who somebody is."""
    if isinstance(value, list):
        value = value[0] if value else None
    name = value.strip()[:LONGEST_NAME] if isinstance(value, str) else ""
    return None if "@" in name or not name else name
