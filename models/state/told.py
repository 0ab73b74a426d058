"""What was told of a lead: its alerts."""

from typing import Final, NamedTuple, TypeAlias

WARNING: Final = "warning"
BREACH: Final = "breach"
RESOLVED: Final = "resolved"
RETRACTED: Final = "retracted"


class Told(NamedTuple):
    """The type of the last message of an alert, and how many messages there were of it."""

    type: str
    number: int


Alerts: TypeAlias = dict[str, Told]
"""By the name of the threshold that an alert is of."""
