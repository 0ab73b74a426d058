"""What stands of an account, as rows: how its recurring revenue moves, what it bought, answered, asked and used.

Amounts are whole minor units of the organisation's currency, each at the rate of its own instant; NO_AMOUNT where none is told.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from models.codes import NEVER, Codes
from models.state.deals import NO_AMOUNT
from models.state.packing import packed
from models.state.registers import Fields
from models.state.responses import RESPONSE
from models.state.spans import MRR_FROM, spans
from models.units import SECOND, Millis

MOVE: Final = np.dtype([("at", "<i8"), ("change", "<i8"), ("live", "i1"), ("begins", "u1")])
"""A subscription's worth changes: by how much, by how many subscriptions more are live, whether this one begins."""

PURCHASE: Final = np.dtype([("at", "<i8"), ("amount", "<i8")])
SURVEY: Final = np.dtype([("at", "<i8"), ("rep", "<i4"), ("kind", "u1"), ("score", "u1")])
TICKET: Final = np.dtype([("at", "<i8"), ("closed_at", "<i8"), ("rep", "<i4")])
USAGE: Final = np.dtype([("at", "<i8"), ("ms", "<i8")])
RESPONSE_ROW: Final = np.dtype([("at", "<i8"), ("rep", "<i4")])
MOMENT: Final = np.dtype([("at", "<i8")])

SCALES: Final = {"nps": range(11), "csat": range(1, 6)}
"""The scores that there are, by the kind of survey."""

SURVEY_KINDS: Final = tuple(SCALES)


class AccountFacts(NamedTuple):
    """All that stands of an account beside its own record and its owners."""

    added: bytes = b""
    moves: bytes = b""
    purchases: bytes = b""
    surveys: bytes = b""
    tickets: bytes = b""
    usage: bytes = b""
    referrals: bytes = b""
    responses: bytes = b""


NO_ACCOUNT: Final = AccountFacts()


def account_facts(own: Fields, objects: Mapping[str, list[tuple[str, Fields]]], codes: Codes) -> AccountFacts:
    """What stands of an account, from its own fields and its objects by kind; each table is in the order of what it says."""

    def having(name: str, kind: str) -> list[Fields]:
        return [fields for _, fields in objects.get(kind, ()) if fields.get(name) is not None]

    subscriptions = [fields for _, fields in objects.get("subscription", ())]
    usage = [(fields["at"], (fields.get("seconds") or 0) * SECOND) for fields in having("at", "usage")]
    return AccountFacts(
        packed([(own["added_at"],)] if own.get("added_at") is not None else [], MOMENT),
        packed([move for fields in subscriptions for move in _moves(fields, codes)], MOVE),
        packed([_purchase(fields, codes) for fields in having("at", "purchase")], PURCHASE),
        packed([survey for fields in having("score", "survey") for survey in _survey(fields, codes)], SURVEY),
        packed([_ticket(fields, codes) for fields in having("opened_at", "ticket")], TICKET),
        packed(usage, USAGE),
        packed([(fields["at"],) for fields in having("at", "referral")], MOMENT),
        packed([(fields["at"], codes.rep.code(fields["rep"])) for fields in having("at", RESPONSE)], RESPONSE_ROW),
    )


def _moves(fields: Fields, codes: Codes) -> Iterator[tuple[int, ...]]:
    """Where a subscription's worth changes."""
    before = 0
    for since, (mrr, currency) in sorted(spans(fields, MRR_FROM)):
        worth = codes.money.converted(mrr, currency, Millis(since)) or 0
        if worth != before:
            yield since, worth - before, (worth > 0) - (before > 0), before == 0
        before = worth


def _purchase(fields: Fields, codes: Codes) -> tuple[int, int]:
    at = Millis(fields["at"])
    amount = codes.money.converted(fields.get("amount"), fields.get("currency"), at)
    return at, NO_AMOUNT if amount is None else amount


def _survey(fields: Fields, codes: Codes) -> Iterator[tuple[int, ...]]:
    at, kind, score = fields.get("at"), fields.get("kind"), fields["score"]
    if at is not None and kind in SCALES and score in SCALES[kind]:
        yield at, codes.rep.code(fields.get("rep")), SURVEY_KINDS.index(kind), score


def _ticket(fields: Fields, codes: Codes) -> tuple[int, int, int]:
    closed_at = fields.get("closed_at")
    return fields["opened_at"], NEVER if closed_at is None else closed_at, codes.rep.code(fields.get("rep"))
