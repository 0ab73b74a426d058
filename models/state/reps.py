"""What stands of a rep, as rows: the employment, the time log, the answers to surveys among employees."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from models.codes import NEVER
from models.state.packing import packed
from models.state.registers import Fields
from models.units import SECOND

EMPLOYMENT: Final = np.dtype([("at", "<i8"), ("until", "<i8")])
TIME: Final = np.dtype([("at", "<i8"), ("selling_ms", "<i8"), ("working_ms", "<i8")])
ANSWER: Final = np.dtype([("at", "<i8"), ("score", "u1")])


class RepFacts(NamedTuple):
    """All that stands of a rep."""

    employment: bytes = b""
    times: bytes = b""
    answers: bytes = b""


NO_REP: Final = RepFacts()


def rep_facts(own: Fields, objects: Mapping[str, list[tuple[str, Fields]]]) -> RepFacts:
    """What stands of a rep, from the own fields and the objects by kind; each table is in the order of what it says."""
    since, until = own.get("employed_from"), own.get("employed_until")
    times = [
        (fields["at"], (fields.get("selling_seconds") or 0) * SECOND, (fields.get("working_seconds") or 0) * SECOND)
        for _, fields in objects.get("time", ())
        if fields.get("at") is not None
    ]
    answers = [
        (fields["at"], fields["score"])
        for _, fields in objects.get("employee_survey", ())
        if fields.get("at") is not None and fields.get("score") is not None
    ]
    return RepFacts(
        packed([(since, NEVER if until is None else until)] if since is not None else [], EMPLOYMENT),
        packed(times, TIME),
        packed(answers, ANSWER),
    )
