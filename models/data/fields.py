"""What the fields are that events tell: instants, dates, amounts, counts."""

from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

MOST_WORTH: Final = 10**13
"""The largest amount that is believed, in minor units."""

Instant: TypeAlias = Annotated[datetime, Meta(tz=True, description="RFC 3339, with its zone offset.")]
Date: TypeAlias = Annotated[
    str, Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", description="A local date of the organisation's.")
]
CurrencyCode: TypeAlias = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217, as in EUR.")]
Amount: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_WORTH, description="Whole minor units, as in cents.")]
Channel: TypeAlias = Literal["call", "email", "message"]
Stage: TypeAlias = Literal["subscriber", "lead", "mql", "sal", "sql", "opportunity", "customer", "disqualified"]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=10**12)]
