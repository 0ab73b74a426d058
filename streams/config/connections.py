"""The CRMs that send to us: how each is known and proven, and what is the organisation's own in it."""

import base64
import binascii
import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationInfo

from models.data.fields import Channel, Stage
from models.units import MINUTE, Duration
from streams.config.values import GivenName, Section, Target, Text, secret_key

SMALLEST_KEY_BYTES = 24

CLOSE_STAGES: dict[str, Stage] = {
    "Potential": "lead",
    "Qualified": "sql",
    "Customer": "customer",
    "Bad Fit": "disqualified",
    "Not Interested": "disqualified",
}
"""The stages of the lead statuses that Close begins with."""

MEETING_KINDS = {"demo": "demo"}

Outcome: TypeAlias = Literal["held", "no_show", "cancelled"]
CustomField: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,100}$")]


def _token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,128}", token.get_secret_value()):
        raise ValueError("must be 16 to 128 characters of A-Z a-z 0-9 _ -, and not guessable (openssl rand -hex 24)")
    return token


def _signing_secret(secret: SecretStr, info: ValidationInfo) -> SecretStr:
    if info.data.get("provider") == "close":
        if not re.fullmatch(r"([0-9a-fA-F]{2}){16,128}", secret.get_secret_value()):
            raise ValueError("must be the signature_key that Close gave the subscription: at least 32 hex digits")
        return secret
    try:
        key = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < SMALLEST_KEY_BYTES:
        raise ValueError("must be whsec_ and the base64 of at least 24 random bytes (openssl rand -base64 32)")
    return secret


def _email_key(key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    if key is None and info.data.get("provider") == "close":
        raise ValueError("is missing: 32 to 128 hex digits that nobody can guess (openssl rand -hex 32)")
    return secret_key(key)


class CloseFields(Section):
    """Which of the organisation's custom fields in Close, on leads or contacts, tells what; by their ids, `cf_...`."""

    owner: CustomField | None = None
    lead_source: CustomField | None = None
    origin: CustomField | None = None
    sales_region: CustomField | None = None
    segment: CustomField | None = None
    campaign: CustomField | None = None


class CloseSettings(Section):
    """What is the organisation's own in Close. Labels and words are taken in capitals or not.

    `reps` names users by their id; others go by the id. `stages` is by a lead status's label or id; other statuses say nothing
    of the stage. `outcomes` is by the outcome's id, `meeting_kinds` by a word of the title, `custom_activities`, which count as
    touches of a channel, by the id of their type. `signature_age` is how old a signature may be.
    """

    reps: dict[Text, GivenName] = Field(default_factory=dict)
    stages: dict[Text, Stage] = CLOSE_STAGES
    fields: CloseFields = CloseFields()
    outcomes: dict[Text, Outcome] = Field(default_factory=dict)
    meeting_kinds: dict[Text, Text] = MEETING_KINDS
    custom_activities: dict[Text, Channel] = Field(default_factory=dict)
    signature_age: Target = Duration(5 * MINUTE)


def _for_close(close: CloseSettings | None, info: ValidationInfo) -> CloseSettings | None:
    if close is not None and info.data.get("provider") == "standard":
        raise ValueError('is for connections with provider = "close"')
    return close


class Connection(Section):
    """One CRM that sends webhooks: the token in its URL names it, any of its secrets signs for it.

    `email_key`, needed where people are known by e-mail address alone, makes their ids; it never changes.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    provider: Literal["standard", "close"] = "standard"
    token: Annotated[SecretStr, AfterValidator(_token)]
    secrets: Annotated[tuple[Annotated[SecretStr, AfterValidator(_signing_secret)], ...], Field(min_length=1, max_length=5)]
    email_key: Annotated[SecretStr | None, AfterValidator(_email_key), Field(validate_default=True)] = None
    close: Annotated[CloseSettings | None, AfterValidator(_for_close)] = None
