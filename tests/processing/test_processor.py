"""From records of the events log to a partition's memory: what cannot be read leaves it, and the rest counts."""

from types import SimpleNamespace

import build
import pytest
from build import NOON, RULES

from models.codes import Codes
from models.data.refs import SubjectRef
from models.events import Absorbed, encode
from models.rollup import Totals
from streams.processing.partition import Partition
from streams.processing.processor import Stored, process
from streams.tables.rows import Outgoing
from streams.topics import TICK_KEY, encode_ticks


def record(value, key=b"lead:x"):
    return SimpleNamespace(offset=0, timestamp=0, key=key, value=value)


async def nothing(*_asked):
    return {}


def bury(_record, error):
    return Outgoing(error.where, "dead", None, error.what.encode())


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        (record(None), "$"),
        (record(b"{"), "$"),
        (record(encode(build.call("far", NOON)).replace(b"2026-", b"2150-")), "$.timestamp"),
        (record(b"now", TICK_KEY), "$"),
        (record(encode(Absorbed(id="a", subject=SubjectRef("lead", "x"), channel="c", sequence=1, lead=b"no"))), "$.lead"),
    ],
)
async def test_a_record_that_cannot_be_read_is_a_dead_letter_and_the_others_count(bad, where):
    codes = Codes(RULES)
    partition = Partition(0, codes, 1, Totals(codes))
    tick = record(encode_ticks({0: NOON // 1000}), TICK_KEY)
    records = [record(encode(build.call("t1", NOON))), bad, record(encode(build.call("t2", NOON))), tick]
    await process(partition, records, Stored(nothing, nothing, nothing), bury)
    cut = partition.cut()
    assert [letter.id for letter in cut.outgoing if letter.topic == "dead"] == [where]
    assert dict(partition.totals.sums.nonzero())["calls"][0] == 2
