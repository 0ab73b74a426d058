"""The states of a partition as of one offset, where its log no longer reaches back to the beginning.

They are read while the owner goes on writing, so each is of an offset of its own. What was told meanwhile is still in the log,
and is folded into them. What a state has already changes nothing, so all are then of the same offset.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import NamedTuple

from models.state.lead import Lead, fold, pack, unpack
from streams.audit.told import told
from streams.errors import Fatal
from streams.processing.hashing import Tombstones
from streams.tables import Keys, Redis, read_applied, read_erased, walk_states
from streams.transport import Record


class Walked(NamedTuple):
    """All states of a partition, each as of `offset` or later; and who was erased, as of later still."""

    offset: int
    states: dict[str, bytes]
    erased: set[bytes]


async def walk(redis: Redis, keys: Keys) -> Walked:
    """Read the states of a partition."""
    (applied,) = await read_applied(redis, [keys])
    if applied is None or applied.progress.offset is None:
        raise Fatal(keys.applied, "nothing was applied yet", "start a worker")
    states: dict[str, bytes] = {}
    async for some in walk_states(redis, keys):
        states.update(some)
    return Walked(applied.progress.offset, states, await read_erased(redis, keys))


async def bring_forward(walked: Walked, log: AsyncIterator[list[Record]], tombstones: Tombstones) -> None:
    """Fold into the states what was told from their offset on."""
    leads: dict[str, Lead] = {}
    async for records in log:
        for event in told(records):
            if isinstance(event, dict):
                continue  # a tick
            subject = event.subject.id
            if subject not in leads:
                leads[subject] = _known(walked.states.get(subject), erased=subject in tombstones)
            fold(leads[subject], event)
    for subject, lead in leads.items():
        walked.states[subject] = pack(lead, {})


def _known(packed: bytes | None, *, erased: bool) -> Lead:
    """A lead as it is stored, without pages."""
    if packed is None:
        return Lead(erased=erased)
    lead, _ = unpack(packed)
    return without_pages(lead)


def without_pages(lead: Lead) -> Lead:
    """The same lead with all of its touches among its objects."""
    lead.objects, lead.pages = dict(lead.everything), None
    return lead


def some_at_a_time(states: Mapping[str, bytes], size: int) -> Iterator[dict[str, bytes]]:
    """States in lots."""
    names = list(states)
    for start in range(0, len(names), size):
        yield {name: states[name] for name in names[start : start + size]}
