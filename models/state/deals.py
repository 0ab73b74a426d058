"""A lead's deals as rows: when each moved on and what it was worth then, in the organisation's currency.

Amounts are whole minor units, each at the rate of its own instant; NO_AMOUNT where none is told.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from struct import Struct
from typing import Any, Final

import numpy as np

from models.codes import NEVER, Codes
from models.state.packing import packed
from models.state.spans import STAGE_FROM, spans
from models.units import Millis

NO_AMOUNT: Final = -1

KINDS: Final = (None, "new_business", "upsell", "cross_sell", "renewal")
OPEN, WON, LOST, UNDATED = range(4)
"""How deals ended; of an undated one it is not told when."""

DEAL: Final = np.dtype(
    [
        *((name, "<i8") for name in ("created_at", "closed_at", "one_at", "two_at")),
        *((name, "<i8") for name in ("created_value", "one_value", "two_value", "closed_value")),
        *((name, "<i8") for name in ("list_value", "yearly_value", "weighted_value")),
        ("rep", "<i4"),
        ("kind", "u1"),
        ("end", "u1"),
        ("competitor", "<i4"),
        ("loss_reason", "<i4"),
    ]
)
_DEAL: Final = Struct("<11qiBBii")

LINE: Final = np.dtype([("at", "<i8"), ("quantity", "<i8"), ("worth", "<i8"), ("rep", "<i4"), ("product", "<i4")])
"""What was sold: a line of a deal that is won, at its close."""

PROPOSAL: Final = np.dtype([("sent_at", "<i8"), ("signed_at", "<i8"), ("rep", "<i4")])
_MONTHS: Final = 12
_PERCENT: Final = 100


def deal_rows(deals: Iterable[tuple[str, Mapping[str, Any]]], codes: Codes) -> bytes:
    """The rows of those of some deals, by id, that were ever created, in the order of ids."""
    return b"".join([_row(fields, codes) for _, fields in sorted(deals, key=_id) if fields.get("created_at") is not None])


def line_rows(deals: Iterable[tuple[str, Mapping[str, Any]]], codes: Codes) -> bytes:
    """The rows of the lines of deals that are won, in the order of what they say."""
    rows = [line for _, fields in deals if fields.get("lines") for line in _lines(fields, codes)]
    return packed(rows, LINE)


def _lines(fields: Mapping[str, Any], codes: Codes) -> Iterator[tuple[int, ...]]:
    at = fields.get("closed_at")
    if fields.get("created_at") is None or fields.get("outcome") != "won" or at is None:
        return
    rep = codes.rep.code(fields.get("rep"))
    for line in fields["lines"]:
        worth = _converted(line["quantity"] * line["unit_price"], fields, at, codes)
        yield at, line["quantity"], worth, rep, codes.product.code(line["product"])


def proposal_rows(proposals: Iterable[tuple[str, Mapping[str, Any]]], codes: Codes) -> bytes:
    """The rows of proposals, in the order of what they say."""
    rows = [
        (_instant(fields, "sent_at"), _instant(fields, "signed_at"), codes.rep.code(fields.get("rep")))
        for _, fields in proposals
    ]
    return packed(rows, PROPOSAL)


def _instant(fields: Mapping[str, Any], name: str) -> int:
    at = fields.get(name)
    return NEVER if at is None else int(at)


def _id(deal: tuple[str, Mapping[str, Any]]) -> str:
    return deal[0]


def _row(fields: Mapping[str, Any], codes: Codes) -> bytes:
    get = fields.get
    created_at, closed_at = fields["created_at"], NEVER
    end = OPEN
    if get("outcome") is not None:
        ended_at = get("closed_at")
        end = UNDATED if ended_at is None else WON if get("outcome") == "won" else LOST
        closed_at = NEVER if ended_at is None else ended_at
    stages = _stages(fields, codes)
    one_at, two_at = (_reached_at(stages, number, closed_at if end == WON else NEVER, codes) for number in (1, 2))
    amount = _amount(fields)
    values = [_converted(amount, fields, at, codes) for at in (created_at, one_at, two_at, closed_at)]
    chance = codes.rules.deal_stages[stages[-1][1] - 1].probability if stages and stages[-1][1] else 0
    return _DEAL.pack(
        *(created_at, closed_at, one_at, two_at),
        *values,
        _converted(get("list_amount"), fields, closed_at, codes),
        _share(values[-1], Fraction(_MONTHS, get("term_months"))) if get("term_months") else NO_AMOUNT,
        _share(values[0], Fraction(chance, _PERCENT)),
        codes.rep.code(get("rep")),
        KINDS.index(get("kind")),
        end,
        codes.competitor.code(get("competitor")),
        codes.loss_reason.code(get("loss_reason")),
    )


def _amount(fields: Mapping[str, Any]) -> int | None:
    """What a deal is worth: its amount, or else what its lines are."""
    amount: int | None = fields.get("amount")
    lines = fields.get("lines") or ()
    return sum(line["quantity"] * line["unit_price"] for line in lines) if amount is None and lines else amount


def _stages(fields: Mapping[str, Any], codes: Codes) -> list[tuple[int, int]]:
    """Since when the deal was in which of the pipeline's stages, by number from 1; 0 for another one, or none."""
    return sorted((since, codes.deal_stages.get(stage, 0)) for since, stage in spans(fields, STAGE_FROM))


def _reached_at(stages: list[tuple[int, int]], number: int, won_at: int, codes: Codes) -> int:
    """When a deal reached a stage, or one behind it, for the first time; who is won has reached all that there are."""
    if number > len(codes.deal_stages):
        return NEVER
    return min([won_at, *(since for since, reached in stages if reached >= number)])


def _converted(amount: int | None, fields: Mapping[str, Any], at: int, codes: Codes) -> int:
    found = None if at == NEVER else codes.money.converted(amount, fields.get("currency"), Millis(at))
    return NO_AMOUNT if found is None else found


def _share(value: int, of: Fraction) -> int:
    return NO_AMOUNT if value == NO_AMOUNT else round(value * of)
