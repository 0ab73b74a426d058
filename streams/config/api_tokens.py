"""Who may ask the exporter for what."""

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints

from streams.config.values import Section

Scope: TypeAlias = Literal["metrics", "kpis", "leads", "page"]
"""What can be asked for: Prometheus' page, the numbers, the leads that wait or are behind numbers, the live page."""


def _hash(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("must be the SHA-256 of a token, 64 hex digits: `leadbeat token new` makes both")
    return text.lower()


class ApiToken(Section):
    """Somebody who may ask for what lies in the scopes, with any of the tokens that have these hashes.

    A plain SHA-256 is right for what holds 32 random bytes: nobody can try them all, so slow hashing would gain nothing.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    hashes: Annotated[tuple[Annotated[str, AfterValidator(_hash)], ...], Field(min_length=1, max_length=5)]
