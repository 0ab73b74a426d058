"""New tokens for the exporter's API, and what the settings have to say of them."""

import json
import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple

from streams.config import ApiToken, Scope
from streams.hashing import digest_of

PREFIX: Final = "lbt_"
"""What tokens begin with, so that whoever looks for secrets that got lost can tell them."""

RANDOM_BYTES: Final = 32


class New(NamedTuple):
    """A token, which nobody else knows, and the lines of the settings that let it in."""

    token: str
    settings: str


def new(name: str, scopes: Sequence[Scope]) -> New:
    """A token of 32 random bytes. Raises ValueError if the name or the scopes cannot be."""
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    known = ApiToken(name=name, scopes=tuple(dict.fromkeys(scopes)), hashes=(digest_of(token).hex(),))
    told = {key: json.dumps(value) for key, value in known.model_dump(mode="json").items()}
    return New(token, "\n".join(["[[api_tokens]]", *(f"{key} = {value}" for key, value in told.items())]))
