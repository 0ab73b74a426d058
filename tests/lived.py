"""A partition that has lived, as it would lie in Redis, and its log."""

import asyncio
from typing import Any, NamedTuple

from build import HOUR, MINUTE, NOON, RULES, SECOND, call, erased, inquiry, lead, merged, reply
from stores import SMALL, Store, record

from models.codes import Codes
from streams.audit.rederived import Rederived
from streams.processing.processor import Stored, process
from streams.processing.writes import writes_of
from streams.tables import Applied, Progress
from streams.tables.still import Still

SOURCES = 2


class Lived(NamedTuple):
    """What a worker has stored of a log."""

    store: Store
    log: list[Any]
    codes: Codes

    @property
    def still(self) -> Still:
        """The partition as an audit reads it."""
        store = self.store
        members = {measure: len(held) for measure, held in store.members.items()}
        tables = (dict(enumerate(store.series)), store.windows, store.levels, store.oldest, store.open, store.panes, members)
        return Still(Applied(1, "mine", 7, 0, store.progress), *tables)

    def rederived(self, size: int = 3) -> Rederived:
        """The states made anew from the log, read in pieces."""
        derived = Rederived(self.codes, SOURCES, capacity=2)
        for start in range(0, len(self.log), size):
            some = self.log[start : start + size]
            derived.take([record(start + place, item) for place, item in enumerate(some)])
        derived.ends_at(len(self.log))
        derived.settle()
        return derived


def live(log: list[Any], rules: Any = RULES) -> Lived:
    """Have a worker apply a log, event by event, with a checkpoint after each few and a crash after some."""
    store = Store(sources=SOURCES, sizes=SMALL)

    async def go() -> None:
        partition = store.load(rules, 2)
        stored = Stored(store.states_of, store.parts_of, store.due_between)
        for offset, item in enumerate(log):
            await process(partition, [record(offset, item)], stored, refused)
            if offset % 3 == 0 or offset == len(log) - 1:
                store.write(writes_of(partition.cut()), Progress(offset + 1, "", partition.clock, dict(partition.ticks)))
                partition.saved()
            if offset % 7 == 0 and offset % 3 == 0:
                partition = store.load(rules, 2)

    asyncio.run(go())
    return Lived(store, log, Codes(rules))


def refused(_: Any, error: Exception) -> Any:
    raise error


def ticks(at: int) -> dict[int, int]:
    """A tick of all sources."""
    return dict.fromkeys(range(SOURCES), at // SECOND)


def some_leads() -> Lived:
    """Some leads: answered, waiting, huge, merged, erased."""
    return live(
        [
            lead(of="crm:1", created_at=NOON - HOUR, owner="ana", lead_source="inbound"),
            call("c1", NOON - 50 * MINUTE, of="crm:1", rep="ana"),
            reply("r1", of="crm:1", at=NOON - 40 * MINUTE, channel="call"),
            ticks(NOON - 30 * MINUTE),
            lead(of="crm:2", created_at=NOON - 20 * MINUTE, owner="ben"),
            *(call(f"h{number}", NOON - number * MINUTE, of="crm:3", rep="ben") for number in range(6)),
            lead(of="crm:4", created_at=NOON - 2 * MINUTE, owner="ana"),
            inquiry("i1", of="crm:4", at=NOON - MINUTE),
            lead(of="crm:5", created_at=NOON - HOUR, owner="ana"),
            call("c5", NOON - 50 * MINUTE, of="crm:5", rep="ana"),
            merged(of="crm:5", into="crm:1"),
            lead(of="crm:6", created_at=NOON - HOUR),
            erased(of="crm:6"),
            call("c1", NOON - 49 * MINUTE, of="crm:1", rep="ana", changed_at=NOON + 1),
            ticks(NOON),
        ]
    )
