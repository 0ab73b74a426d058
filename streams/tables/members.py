"""Members as somebody reads them who does not own their partition: the newest of some stretch of time."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from models.errors import UNREADABLE
from streams.errors import Fatal
from streams.tables.rows import Member, decode_member
from streams.tables.server import Redis, reaching

_PAGE: Final = 5_000


class Place(NamedTuple):
    """Where a member stands in the order in which they are read, newest first: larger places come first."""

    at: int
    packed: bytes
    measure: str


class Stretch(NamedTuple):
    """Members of a measure under a key, from an instant on and before another (ms UTC); only those behind a place, if any."""

    key: str
    measure: str
    start: int
    end: int
    behind: Place | None = None

    def holds(self, place: Place) -> bool:
        """Whether a place lies behind the one that is begun behind."""
        return self.behind is None or place < self.behind


async def read_members(redis: Redis, stretches: Sequence[Stretch], most: int) -> list[list[tuple[Place, Member]]]:
    """The newest members of each stretch, in order: at least so many, if there are as many. Raises Retry and Fatal."""
    found: list[list[tuple[Place, Member]]] = [[] for _ in stretches]
    count = min(most + 1, _PAGE)
    unread, start = list(range(len(stretches))), 0
    while unread:
        with reaching(stretches[0].key):
            async with redis.pipeline(transaction=False) as pipeline:
                for number in unread:
                    each = stretches[number]
                    last = each.end - 1 if each.behind is None else min(each.end - 1, each.behind.at)
                    pipeline.zrevrangebyscore(each.key, last, each.start, start=start, num=count)
                pages = await pipeline.execute()
        further = []
        for number, page in zip(unread, pages, strict=True):
            found[number] += _held(stretches[number], page)
            if len(page) == count and len(found[number]) < most:
                further.append(number)
        unread, start = further, start + count
    return found


def _held(stretch: Stretch, page: Sequence[bytes]) -> list[tuple[Place, Member]]:
    try:
        members = [decode_member(packed) for packed in page]
    except UNREADABLE as error:
        what = f"are no members of this version: {error}"
        raise Fatal(stretch.key, what, "find out who else writes under this prefix") from None
    placed = [(Place(each.at, packed, stretch.measure), each) for packed, each in zip(page, members, strict=True)]
    return [each for each in placed if stretch.holds(each[0])]
