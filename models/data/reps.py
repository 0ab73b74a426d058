"""What events tell of reps: the fields of a rep's own record, and of each kind of its objects.

A field that is absent leaves what is known untouched; `null` clears it.
"""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from models.data.fields import Instant

_Seconds = Annotated[int, Meta(ge=0, le=10**7)]


class RepData(Struct, frozen=True):
    """Since when, and until when, the rep is employed. In which team is not told here: the roster says it."""

    employed_from: Instant | None | UnsetType = UNSET
    employed_until: Instant | None | UnsetType = UNSET


class TimeData(Struct, frozen=True):
    """How many seconds the rep sold, and worked at all, as logged at `at`."""

    at: Instant | None | UnsetType = UNSET
    selling_seconds: _Seconds | None | UnsetType = UNSET
    working_seconds: _Seconds | None | UnsetType = UNSET


class EmployeeSurveyData(Struct, frozen=True):
    """How likely the rep would recommend the organisation as an employer, 0 to 10."""

    at: Instant | None | UnsetType = UNSET
    score: Annotated[int, Meta(ge=0, le=10)] | None | UnsetType = UNSET
