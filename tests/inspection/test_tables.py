"""`leadbeat table` over what lies in a real Redis."""

import asyncio
import json

import msgspec
import numpy as np
import pytest
from build import MINUTE, NOON, RULES, call, folded, lead
from published import at_noon, publish
from stored import committed, snapshot

from models.codes import Codes
from models.state.facts import touch_rows
from models.state.lead import pack
from models.state.pages import paged
from models.state.rows import TouchRows
from models.state.told import Told
from models.sums import CHUNK, pack_runs
from streams.processing.checkpoint import claim_partition
from streams.processing.cut import Writes, cut_checkpoint
from streams.tables import Keys, KpiKeys, OpenClock, Outgoing, Pane, Progress, Waiting, bucket_of, connect
from streams.tables.kpis import encode_changes
from streams.tables.presence import say_present
from streams.tables.rows import encode_member
from streams.topics import partition_of

LEAD = "crm:4711"
PARTITION = partition_of(f"lead:{LEAD}".encode(), 4)
KEYS = Keys("lb", PARTITION)
SERIES = ["calls", "calls|rep=ana", *(f"filler{number}" for number in range(CHUNK)), "reply_time#b312|rep=ana"]
HUGE = next(name for name in map("crm:huge{}".format, range(100)) if partition_of(f"lead:{name}".encode(), 4) == PARTITION)
CLOCK = OpenClock(LEAD, NOON + MINUTE, "ana", "north", "inbound", "webinar", "dach", "smb", "launch")


def sums(**amounts: int) -> dict[int, bytes]:
    """Chunks with the sums of some series, by id."""
    ids = {int(name.removeprefix("s")): amount for name, amount in amounts.items()}
    chunks = {}
    for number in sorted({each // CHUNK for each in ids}):
        within = {each % CHUNK: amount for each, amount in sorted(ids.items()) if each // CHUNK == number}
        chunks[number] = next(pack_runs(np.array(list(within)), np.array(list(within.values())), np.array([len(within)])))
    return chunks


def writes() -> Writes:
    """A partition with a bit of everything."""
    known = folded(lead(of=LEAD, created_at=NOON - MINUTE, owner="ana"), call("c1", NOON, of=LEAD, rep="be\x1bn"))
    huge = folded(*(call(f"c{number}", NOON + number, of=HUGE) for number in range(5)))
    huge.pages = paged(huge.objects, 2)
    return Writes(
        states={LEAD: pack(known, {"100:1:2": Told("breach", 1)}), HUGE: pack(huge, {})},
        pages={HUGE: huge.pages.cut()},
        rows={HUGE: TouchRows(touch_rows(huge, Codes(RULES)), {}, 2).cut()},
        panes={Pane("10s", NOON): sums(s0=2, s1=1)},
        windows={"1h": sums(s0=2, s1=1, s258=3)},
        levels=sums(s0=5),
        oldest={"": Waiting(NOON - MINUTE, NOON + MINUTE), "rep=ana": Waiting(NOON - MINUTE, None)},
        series=SERIES,
        due={LEAD: NOON + MINUTE, "crm:1": NOON},
        open={CLOCK: NOON - MINUTE},
        members={"replies": {encode_member(LEAD, NOON, k): NOON for k in (0, 1)}},
        erased=[b"\xab\xcd"],
        outgoing=[Outgoing("a1", "leadbeat.alerts.v1", LEAD.encode(), b'{"percent": 50}')],
    )


@pytest.fixture
def config(redis_server, tmp_path):
    file = tmp_path / "leadbeat.toml"
    file.write_text(f'[redis]\nurl = "{redis_server.url}"\n[organisation]\nzone = "Europe/Berlin"\n')
    return file


async def _fill(url: str) -> None:
    async with connect(url) as redis:
        held = await claim_partition(redis, KEYS, 4, "mine")
        progress = Progress(17, "f00d", NOON, {0: NOON, 1: NOON + 1000}, valuation='{"catalogue":1,"rules":1,"digest":"d"}')
        await committed(redis, cut_checkpoint(KEYS, held, writes(), progress))
        published = at_noon(call("c1", NOON - MINUTE, rep="ana"))
        await publish(redis, "lb", published)
        calls = msgspec.json.encode(published.rows["1h"]["calls|rep=ana"])
        changes = encode_changes({"1h": {"calls|rep=ana": calls}, "now": {"leads_overdue": None}})
        await redis.hset(KpiKeys("lb").changes, "7", changes)
        await say_present(redis, "lb", "worker-1", '{"name":"here process 7"}', 10_000)


@pytest.fixture
def filled(redis_server):
    asyncio.run(_fill(redis_server.url))


@pytest.fixture
def rows(run, config, filled):
    """What a table has as JSON, without the partition where that is the one that was filled."""

    def asking(*arguments):
        code, out, err = run("table", *arguments, "--json", "--config", config)
        assert (code, err) == (0, "")
        found = json.loads(out)
        assert {row.pop("partition", PARTITION) for row in found} <= {PARTITION}
        return found

    return asking


def test_how_far_a_partition_has_come(rows):
    assert rows("applied") == [
        {
            "claim": 1,
            "token": "mine",
            "seq": 1,
            "aside": 0,
            "offset": 17,
            "fingerprint": "f00d",
            "clock": NOON,
            "ticks": {"0": NOON, "1": NOON + 1000},
            "generation": 1,
            "valuation": {"catalogue": 1, "rules": 1, "digest": "d"},
        }
    ]


def test_what_is_known_of_a_lead(rows):
    found = {(row["object"], row["field"]): row for row in rows(f"lead:{LEAD}")}
    assert found["", "created_at"]["value"] == NOON - MINUTE
    owner = {"object": "", "field": "owner", "since": NOON, "value": "ana", "version": NOON, "sequence": 0}
    assert found["", "owner"] == owner
    assert found["touch:c1", "rep"]["value"] == "be\x1bn"
    assert found["alert:100:1:2", "breach"]["value"] == 1
    (state,) = rows(KEYS.state(bucket_of(LEAD)))
    assert (state["subject"], state["bytes"]) == (LEAD, len(writes().states[LEAD]))


def test_a_huge_lead_is_shown_whole_and_how_it_lies_in_parts(rows):
    assert {row["object"] for row in rows(f"lead:{HUGE}")} == {f"touch:c{number}" for number in range(5)}
    pages = rows(f"pages:lead:{HUGE}")
    assert sum(row["touches"] for row in pages) == 5
    assert [row["page"] for row in pages] == [0, 1, 2]
    chunks = rows(f"rows:lead:{HUGE}")
    assert [(row["start"], row["touches"]) for row in chunks] == [(0, 2), (NOON + 2, 2), (NOON + 4, 1)]
    assert rows(KEYS.pages(HUGE)) == pages
    assert rows(KEYS.rows(HUGE)) == chunks


def test_who_was_erased_is_told_by_hash(rows):
    assert rows("erased") == rows(KEYS.erased) == [{"hash": "abcd"}]


def test_the_sums_of_panes_windows_and_levels_go_by_their_names(rows):
    calls = {"measure": "calls", "part": "", "by": "", "slice": "", "amount": 2}
    of_ana = {"measure": "calls", "part": "", "by": "rep", "slice": "ana", "amount": 1}
    assert rows(f"pane:10s:{NOON}") == [calls, of_ana]
    assert rows("pane:10s:2026-03-02T12:00:00Z") == [calls, of_ana]
    sketched = {"measure": "reply_time", "part": "b312", "by": "rep", "slice": "ana", "amount": 3}
    assert rows("window:1h") == [calls, of_ana, sketched]
    assert rows(KEYS.window("1h")) == [calls, of_ana, sketched]
    assert rows("level") == [calls | {"amount": 5}]
    assert rows("window:7d") == []
    assert {(row["kind"], row["name"], row["start"]) for row in rows("parts")} == {
        ("pane", "10s", NOON),
        ("window", "1h", None),
        ("members", "replies", None),
        ("rows", f"lead:{HUGE}", None),
    }


def test_what_waits_and_what_is_due(rows):
    assert rows("due") == [{"at": NOON, "subject": "crm:1"}, {"at": NOON + MINUTE, "subject": LEAD}]
    assert rows("open") == [{"since": NOON - MINUTE, **CLOCK._asdict()}]
    assert rows("oldest") == [
        {"by": "", "slice": "", "since": NOON - MINUTE, "due": NOON + MINUTE},
        {"by": "rep", "slice": "ana", "since": NOON - MINUTE, "due": None},
    ]
    assert rows("members:replies") == [{"at": NOON, "subject": LEAD, "number": k} for k in (0, 1)]


def test_what_the_publisher_and_the_outbox_have_before_them(rows):
    assert rows("outbox") == [
        {"seq": 1, "id": "a1", "topic": "leadbeat.alerts.v1", "key": LEAD, "value": {"percent": 50}},
    ]
    assert {row["what"] for row in rows("changed")} == {"w:1h:0", "w:1h:1", "l:0", "o:", "o:rep=ana"}
    names = rows("series")
    assert len(names) == len(SERIES)
    assert names[1] == {"id": 1, "measure": "calls", "part": "", "by": "rep", "slice": "ana"}


def test_the_rows_that_people_read_and_the_round_that_they_are_of(rows):
    found = {(row["kpi"], row["slice"]): row for row in rows("kpi:1h")}
    ana = {"by": "rep", "value": 1.0, "numerator": 1, "denominator": None, "state": "ok", "version": 7}
    assert found["calls", "ana"] == {"kpi": "calls", "slice": "ana"} | ana
    (record,) = rows("kpi:applied")
    assert (record["round"], record["clock"], record["token"]) == (7, NOON, "abc")
    written, deleted = rows("kpi:changes")
    assert written == {"round": 7, "window": "1h", "kpi": "calls", "slice": "ana"} | ana
    assert deleted == {"round": 7, "window": "now", "kpi": "leads_overdue", "by": "", "slice": ""} | dict.fromkeys(
        ("value", "numerator", "denominator", "state", "version")
    )
    (worker,) = rows("workers")
    assert (worker["token"], worker["about"]) == ("worker-1", {"name": "here process 7"})


def test_people_are_given_columns_local_times_and_nothing_that_steers_their_terminal(run, config, filled):
    _, shown, _ = run("table", f"lead:{LEAD}", "--config", config)
    heading, *lines = shown.splitlines()
    assert heading.split() == ["object", "field", "since", "value", "version", "sequence"]
    assert "2026-03-02 12:59:00.000+01:00" in next(line for line in lines if "created_at" in line)
    assert "be\\x1bn" in shown
    assert "\x1b" not in shown
    _, upright, _ = run("table", "applied", "--config", config)
    assert upright.splitlines()[1].split() == ["claim", "1"]
    assert run("table", "window:7d", "--config", config)[1] == "empty\n"


def test_people_are_not_given_more_than_they_can_read(run, config, filled):
    _, shown, _ = run("table", "series", "--config", config)
    assert len(shown.splitlines()) == 102
    assert shown.endswith("… and more: these are the first 100 (--limit 0 shows all)\n")
    assert len(run("table", "series", "--limit", 0, "--config", config)[1].splitlines()) == len(SERIES) + 1
    assert len(json.loads(run("table", "series", "--limit", 3, "--json", "--config", config)[1])) == 3


def test_which_tables_there_are(run):
    code, out, _ = run("table")
    assert code == 0
    assert {"applied", "lead:CONNECTION:ID", "kpi:WINDOW"} <= {line.split()[0] for line in out.splitlines()}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["window:2h"], "window:2h: there is no such window (one of 5m, 15m, "),
        (
            ["pane:10s:0"],
            f"pane:10s:0: nothing is counted there; panes of '10s' that hold something: 1, from {NOON} to {NOON} (",
        ),
        (["pane:7s:0"], "pane:7s:0: nothing is counted there; panes of '7s' that hold something: 0 ("),
        (["members:emails"], "members:emails: nobody is kept there ("),
        (["state:lead:²"], "state:lead:²: there is no such bucket (state:lead:0 to state:lead:255)"),
        (["state:lead:256"], "state:lead:256: there is no such bucket (state:lead:0 to state:lead:255)"),
        (["pages:crm:4712"], "crm:4712: is no lead (name it as lead:CONNECTION:ID)"),
        (["lead:crm:4712"], "lb:{"),
        (["lead:crm:nobody-1"], "lb:{"),
        (["kpi:2h"], "kpi:2h: there is no such window (one of 5m, "),
        (["due", "--partition", "4"], "partition: there is none with number 4 (they are 0 to 3)"),
        (["due", "--partition", str((PARTITION + 1) % 4)], "is not there: no worker has taken a partition yet ("),
    ],
)
def test_what_is_not_there_is_told_in_a_line(run, config, filled, arguments, told):
    code, out, err = run("table", *arguments, "--config", config)
    assert (code, out) == (2, "")
    assert told in err
    assert err.startswith("leadbeat: ")
    assert len(err.splitlines()) == 1


def test_a_lead_that_is_not_there_is_told_with_the_place_where_it_would_be(run, config, filled):
    in_the_same = next(n for n in range(100) if partition_of(f"lead:crm:x{n}".encode(), 4) == PARTITION)
    code, _, err = run("table", f"lead:crm:x{in_the_same}", "--config", config)
    assert code == 2
    assert f"lb:{{{PARTITION}}}:state:lead:" in err
    assert f"holds no lead 'crm:x{in_the_same}', whose place it would be (name it as CONNECTION:ID, " in err


def test_an_empty_redis_says_that_nobody_has_come_yet(run, config):
    for name in ("applied", "due", "kpi:1h", "kpi:applied", f"lead:{LEAD}"):
        code, out, err = run("table", name, "--config", config)
        assert (code, out) == (2, "")
        assert "start a worker, or check redis.url and redis.prefix" in err
    assert json.loads(run("table", "workers", "--json", "--config", config)[1]) == []


def test_a_redis_that_is_not_there_may_come_back(run, tmp_path):
    (tmp_path / "leadbeat.toml").write_text('[redis]\nurl = "redis://127.0.0.1:1/0"\n')
    code, _, err = run("table", "applied", "--config", tmp_path / "leadbeat.toml")
    assert code == 75
    assert "Redis does not answer" in err
    assert err.strip().endswith("(check redis.url, and that a Redis runs there that this machine can reach)")


def test_tables_of_another_number_of_partitions_are_not_misread(run, config, filled):
    config.write_text(config.read_text() + "[kafka]\npartitions = 8\n")
    code, _, err = run("table", "applied", "--config", config)
    assert code == 2
    assert "partitions 4 is stored, this process has 8" in err


def test_what_others_have_written_there_is_told_as_that(run, config, filled, redis_server):
    async def spoil():
        async with connect(redis_server.url) as redis:
            await redis.hset(KEYS.state(bucket_of(LEAD)), LEAD, b"\xc1")
            await redis.zadd(KEYS.open, {"a lead": 1})
            await redis.hset(KEYS.oldest, "", "soon")
            await redis.hset("lb:{workers}:present", "t", "here")
            await redis.hset("lb:{kpi}:1h", "calls", "many")
            await redis.hset("lb:{kpi}:changes", "8", "many")
            await redis.hset(KEYS.level, "0", b"\x92\x91\x00\x90")

    asyncio.run(spoil())
    for name in (f"lead:{LEAD}", "open", "oldest", "workers", "kpi:1h", "kpi:changes", "level"):
        code, _, err = run("table", name, "--config", config)
        assert (code, len(err.splitlines())) == (2, 1)
        assert err.endswith("(find out who else writes under this prefix)\n")


def test_it_needs_no_right_to_write_and_changes_nothing(run, config, filled, redis_server):
    async def stored(*command):
        async with connect(redis_server.url) as redis:
            if command:
                await redis.execute_command(*command)
            return await snapshot(redis)

    before = asyncio.run(stored("ACL", "SETUSER", "reader", "on", ">pw", "~lb:*", "+@read", "+@connection", "+multi", "+exec"))
    config.write_text(config.read_text().replace("redis://", "redis://reader:pw@"))
    everything = [
        "applied",
        f"lead:{LEAD}",
        "state:lead:0",
        "parts",
        f"pane:10s:{NOON}",
        "window:1h",
        "level",
        "oldest",
        "series",
    ]
    everything += [
        "changed",
        "due",
        "open",
        "members:replies",
        "outbox",
        "kpi:1h",
        "kpi:applied",
        "kpi:changes",
        "workers",
        "rules",
    ]
    try:
        for name in everything:
            assert run("table", name, "--config", config)[0] == 0, name
        assert asyncio.run(stored()) == before
    finally:
        asyncio.run(stored("ACL", "DELUSER", "reader"))
