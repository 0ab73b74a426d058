"""`leadbeat rules check|diff|apply FILE`, as an operator sees them."""

import asyncio

import pytest
from build import HOUR, MINUTE, NOON, call, folded, lead

from models.rules import Rules
from models.state.lead import pack
from streams.processing.checkpoint import claim_partition, commit
from streams.processing.cut import Writes, cut_checkpoint
from streams.tables import Keys, Progress, connect
from streams.topics import partition_of
from streams.valuation import valuation_of

pytestmark = pytest.mark.redis

OLD = """
roster = [{ rep = "ana", team = "north" }, { rep = "bo", team = "north" }]
sla = [{ target = "10m" }]
"""
NEW = OLD.replace('"bo", team = "north"', '"bo", team = "south"').replace('"10m"', '"3m"')
PARTITIONS = 2


def answered(name, rep, after):
    """A lead of an hour ago that was called so many ms later."""
    at = NOON - HOUR
    return [
        lead(of=name, created_at=at, owner=rep, changed_at=at),
        call("c1", at + after, of=name, rep=rep, changed_at=at + after),
    ]


LEADS = {
    "crm:1": answered("crm:1", "ana", MINUTE),
    "crm:2": answered("crm:2", "ana", 5 * MINUTE),
    "crm:3": answered("crm:3", "bo", MINUTE),
    "crm:4": answered("crm:4", "stranger", MINUTE),
}
"""By the new rules: the first stays, the second was late, the third counts in another team, the last stays `other`."""


async def store(url, leads=LEADS, rules=None):
    """Leads, and clocks at noon, as a worker of some rules leaves them."""
    async with connect(url) as redis:
        for number in range(PARTITIONS):
            keys = Keys("lb", number)
            mine = {
                name: events for name, events in leads.items() if partition_of(f"lead:{name}".encode(), PARTITIONS) == number
            }
            states = {name: pack(folded(*events), {}) for name, events in mine.items()}
            valuation = valuation_of(rules or Rules()).encode()
            held = await claim_partition(redis, keys, PARTITIONS, "mine")
            progress = Progress(clock=NOON, ticks=dict.fromkeys(range(PARTITIONS), NOON), valuation=valuation)
            await commit(redis, cut_checkpoint(keys, held, Writes(states=states), progress))


@pytest.fixture
def config(tmp_path, redis_server):
    file = tmp_path / "leadbeat.toml"
    file.write_text(f'{OLD}\n[kafka]\npartitions = {PARTITIONS}\n[redis]\nurl = "{redis_server.url}"\n')
    return file


@pytest.fixture
def rules(run, config, tmp_path):
    """Run a command on a document of some text."""

    def running(command, text, *options):
        file = tmp_path / "rules.toml"
        file.write_text(text)
        return run("rules", command, file, *([] if command == "check" else ["--config", config]), *options)

    return running


@pytest.fixture
def keys(redis_server):
    """What Redis holds, to be compared."""

    async def looking():
        async with connect(redis_server.url) as redis:
            return {name: await redis.dump(name) for name in sorted(await redis.keys("*"))}

    return lambda: asyncio.run(looking())


def test_check_tells_everything_and_ends_with_1_if_something_is_wrong(rules):
    code, out, _ = rules("check", 'roster = [{ team = "north" }]\nsla = [{ target = "soon" }]')
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == "mistake  roster[0].rep: is missing (write it)"
    assert lines[1].startswith("mistake  sla[0].target: is not a duration (write it as ")
    assert len(lines) == 2
    code, out, _ = rules("check", NEW + 'lead_sources = ["web", "Web"]')
    assert code == 0
    warning, verdict = out.splitlines()
    assert warning.startswith("warning  lead_sources: 'Web' and 'web' are two names to Leadbeat")
    assert verdict == "ok       zone UTC, SLA 3m00s, reps: 2"


def test_diff_tells_what_changes_and_how_the_numbers_would_move_and_changes_nothing(rules, redis_server, keys):
    asyncio.run(store(redis_server.url))
    before = keys()
    code, out, err = rules("diff", NEW)
    assert code == 0, err
    assert keys() == before
    lines = out.splitlines()
    assert lines[:4] == [
        "against version 1: zone UTC, SLA 10m00s, reps: 2",
        "  ~ roster: bo in north → in south",
        "  ~ sla: all leads 10m00s → 3m00s",
        "2 of 4 leads contribute otherwise.",
    ]
    table = [line.split() for line in lines[4:]]
    assert table[0] == ["KPI", "of", "now", "24h", "7d", "30d"]
    assert ["response_within_sla_ratio", "all", *["100.0%", "→", "75.0%"] * 3] in table
    assert ["response_within_sla_ratio", "rep", "ana", *["100.0%", "→", "50.0%"] * 3] in table
    assert ["sla_breaches", "all", *["0", "→", "1"] * 3] in table
    assert ["calls", "team", "south", *["–", "→", "1"] * 3] in table
    assert not any("other" in row for row in table)


def test_diff_of_a_sample_says_so_and_of_nothing_says_that(rules, redis_server):
    assert "No lead is known yet." in rules("diff", NEW)[1]
    asyncio.run(store(redis_server.url))
    assert "(a sample of 1 %: totals are of these leads only)" in rules("diff", NEW, "--sample", "1")[1]
    assert rules("diff", OLD)[1].splitlines()[-1] == "  nothing differs"


def test_diff_doubts_when_workers_go_by_other_rules_than_the_configuration(rules, redis_server):
    asyncio.run(store(redis_server.url, rules=Rules(version=5)))
    assert "there are totals of version 5; compared is with version 1 of this configuration" in rules("diff", NEW)[2]
    assert rules("apply", NEW)[1].startswith("version 6 of the rules is in force")


def test_apply_gives_versions_in_turn_and_refuses_what_is_older_or_changes_nothing(rules, keys):
    code, out, _ = rules("apply", NEW)
    assert code == 0
    assert out.splitlines() == [
        "version 2 of the rules is in force: zone UTC, SLA 3m00s, reps: 2",
        "No worker is here: the next to start makes the numbers anew.",
    ]
    before = keys()
    for text, why in [
        (NEW, "nothing differs from version 2, which is in force (there is nothing to apply)"),
        (f"rules_version = 3\n{NEW}", "nothing differs from version 2"),
        (f"rules_version = 2\n{OLD}", "rules_version 2 is not newer than version 2"),
        ('roster = [{ team = "north" }]', "a mistake\n  roster[0].rep: is missing (write it) (nothing was changed)"),
    ]:
        code, _, err = rules("apply", text)
        assert code == 2
        assert why in err
    assert keys() == before
    assert rules("apply", f"rules_version = 7\n{OLD}")[1].startswith("version 7 ")
    assert rules("apply", NEW)[1].startswith("version 8 ")


def test_what_was_applied_can_be_read(rules, run, config):
    rules("apply", NEW)
    code, out, err = run("table", "rules", "--config", config)
    assert code == 0, err
    assert "south" in out
