"""Whether what is read of a partition is of the very data that its owner has written."""

from streams.errors import Retry
from streams.tables import Applied, Check, Keys, Stands


class Rewound(Retry):
    """What was read is not of what its owner has written: Redis has lost data, or it is another one that answered."""


def claimed_as(keys: Keys, applied: Applied) -> Check:
    """Raises Rewound for what is read of a partition unless it is claimed so.

    Of a partition that somebody has claimed meanwhile anything may be read: who had it is told so by his next checkpoint.
    """

    def check(stands: Stands) -> None:
        if stands.token != applied.token and stands.claim < applied.claim:
            what = f"claim {stands.claim} is read, and {applied.claim} is ours"
            raise Rewound(keys.applied, what, "it is loaded again")

    return check
