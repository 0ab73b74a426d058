"""What the doctor makes of things that a single broker and a well Redis never show."""

from collections import Counter
from dataclasses import replace

import pytest
from httpx import AsyncClient, MockTransport, Response

from models.errors import LeadbeatError
from models.rules import Membership, Rules
from models.units import MINUTE, Millis
from streams.config import Settings
from streams.errors import Fatal, Retry
from streams.inspection.findings import Level, numbers, of_fault, span
from streams.inspection.of_both import of_both
from streams.inspection.of_log import of_log
from streams.inspection.of_settings import of_services, of_settings
from streams.inspection.of_tables import of_tables
from streams.inspection.seen import Bounds, DeadSeen, GroupSeen, LogSeen, ServiceSeen, TablesSeen, TailSeen, TickSeen, TopicSeen
from streams.inspection.services import look, look_at_services
from streams.tables import Applied, Progress
from streams.tables.presence import Heard
from streams.tables.rules import RulesDocument
from streams.telemetry import SpoolState
from streams.topics import Topics, specs
from streams.valuation import valuation_of

NOW = Millis(1_772_452_800_000)
SETTINGS = Settings()
TOPICS = Topics()
PARTITIONS = range(4)

LOG = LogSeen(
    at=NOW,
    brokers=3,
    topics={spec.name: TopicSeen(spec.partitions, replicas=3, config=spec.config) for spec in specs(TOPICS, 4, 3)},
    bounds=Bounds(
        {TOPICS.deliveries: dict.fromkeys(PARTITIONS, 0), TOPICS.events: dict.fromkeys(PARTITIONS, 0)},
        {TOPICS.deliveries: dict.fromkeys(PARTITIONS, 9), TOPICS.events: dict.fromkeys(PARTITIONS, 9)},
    ),
    groups={
        f"leadbeat-{part}": GroupSeen("Stable", 2, frozenset(PARTITIONS), dict.fromkeys(PARTITIONS, 9))
        for part in ("normaliser", "processor")
    },
    tail=TailSeen(dict.fromkeys(PARTITIONS, TickSeen(NOW, NOW)), {}, None),
    dead=DeadSeen(0, Counter()),
)
INFO = {"redis_version": "7.2.5", "role": "master", "maxmemory_policy": "noeviction", "aof_enabled": 1}
TABLES = TablesSeen(
    at=NOW,
    infos=[INFO],
    ahead_ms=0,
    asked_in_ms=1,
    applied=[Applied(1, "t", 1, 0, Progress(9, "", NOW))] * 4,
    outbox=[0] * 4,
    round=None,
    workers=[Heard("t", NOW, NOW, '{"name":"one"}')],
)


def of(findings, level: Level) -> list[tuple[str, str]]:
    return [(finding.where, finding.what) for finding in findings if finding.level is level]


def in_log(level: Level, **changes: object) -> list[tuple[str, str]]:
    return of(of_log(SETTINGS, replace(LOG, **changes)), level)


def in_tables(level: Level, **changes: object) -> list[tuple[str, str]]:
    found = of(of_tables(SETTINGS, replace(TABLES, **changes)), level)
    return [each for each in found if each[0] != "round"]


def test_a_cluster_in_order():
    assert in_log(Level.FAIL) == in_log(Level.WARN) == []
    assert in_tables(Level.FAIL) == in_tables(Level.WARN) == []


def test_partitions_without_leader_replicas_behind_and_too_few_of_them():
    def topic(**changes):
        return LOG.topics | {TOPICS.events: replace(LOG.topics[TOPICS.events], **changes)}

    where = f"topic {TOPICS.events}"
    leaderless = topic(leaderless=frozenset({2}), behind=frozenset({2}))
    assert in_log(Level.FAIL, topics=leaderless) == [(where, "partition 2 without a leader")]
    assert in_log(Level.WARN, topics=leaderless) == []
    assert in_log(Level.WARN, topics=topic(behind=frozenset({0, 3}))) == [
        (where, "partitions 0, 3 with a replica that is behind")
    ]
    (alone,) = in_log(Level.WARN, topics=topic(replicas=1))
    assert alone == (where, "1 replica on 3 brokers: a broker that is lost takes its records with it")
    assert in_log(Level.WARN, brokers=1, topics=topic(replicas=1)) == []


def test_a_group_that_is_sharing_out_partitions_or_leaves_some():
    def group(**changes):
        return LOG.groups | {"leadbeat-processor": replace(LOG.groups["leadbeat-processor"], **changes)}

    where = "group leadbeat-processor"
    sharing = in_log(Level.WARN, groups=group(state="PreparingRebalance", owned=frozenset()))
    assert sharing == [(where, "is sharing out partitions (PreparingRebalance)")]
    assert in_log(Level.FAIL, groups=group(owned=frozenset({0, 1, 3}))) == [
        (where, "partition 2 of crm.events.v1 without an owner")
    ]


def test_what_could_not_be_looked_at_is_told_and_nothing_is_made_up():
    fault = Retry("consumer groups", "could not be looked at: no rights", "ask for them")
    blind = replace(LOG, bounds=Bounds({}, {}), groups=None, tail=None, dead=None, faults=[fault])
    found = list(of_log(SETTINGS, blind))
    assert of(found, Level.WARN) == [("consumer groups", "could not be looked at: no rights")]
    assert {finding.where for finding in found if finding.level is Level.OK} == {
        "Kafka at 127.0.0.1:9092",
        *(f"topic {name}" for name in LOG.topics),
    }


async def test_a_processor_that_is_not_behind_and_one_whose_log_was_trimmed():
    (fine,) = await of_both(SETTINGS, TABLES, LOG)
    assert (fine.where, fine.what) == ("lag of the processor", "0 records")
    trimmed = replace(
        LOG, bounds=Bounds({TOPICS.events: dict.fromkeys(PARTITIONS, 20)}, {TOPICS.events: dict.fromkeys(PARTITIONS, 30)})
    )
    *lost, _ = await of_both(SETTINGS, TABLES, trimmed)
    assert [finding.what for finding in lost] == ["11 events from offset 9 on are past the log's retention"] * 4


def test_clocks_memory_and_files_of_redis():
    assert in_tables(Level.WARN, ahead_ms=-90_000)[0] == ("clocks", "that of Redis is 2 min behind this machine's")
    assert in_tables(Level.WARN, ahead_ms=2_500, asked_in_ms=1_000) == []
    assert in_tables(Level.FAIL, infos=[INFO | {"redis_version": "6.0.16"}]) == [("redis", "version 6.0.16 is too old")]
    full = in_tables(Level.WARN, infos=[INFO | {"used_memory": 90, "maxmemory": 100}])
    assert full == [("redis memory", "90% of maxmemory is used")]
    assert in_tables(Level.WARN, infos=[INFO | {"loading": 1}]) == [("redis persistence", "it is loading its data")]
    failed = INFO | {"aof_last_write_status": "err", "rdb_last_bgsave_status": "err"}
    assert in_tables(Level.FAIL, infos=[INFO, failed]) == [
        ("redis persistence", "writing the append-only file has failed"),
        ("redis persistence", "the last snapshot has failed"),
    ]


def test_workers_count_by_the_clock_of_redis():
    heard = [Heard("t", NOW, NOW + MINUTE, '{"name":"one"}'), Heard("u", NOW, NOW, "{}"), Heard("v", NOW, NOW + MINUTE, "?")]
    (alive,) = [what for where, what in in_tables(Level.OK, ahead_ms=MINUTE, workers=heard) if where == "workers"]
    assert alive == "2 here: one, one of another version"
    assert ("workers", "none has said that it is here for 10 s") in in_tables(Level.FAIL, ahead_ms=MINUTE)


def test_a_valuation_that_nobody_can_read_says_nothing():
    strange = replace(TABLES.applied[0], progress=Progress(9, "", NOW, valuation="{"))
    assert not [where for where, _ in in_tables(Level.OK, applied=[strange] * 4) if where == "rules and definitions"]


def test_services_that_are_not_ready_or_not_there():
    seen = [
        ServiceSeen("gateway", "http://g", ready=True),
        ServiceSeen("exporter", "http://e", told="clock: stands 20 s behind"),
    ]
    found = list(of_services([*seen, ServiceSeen("processor", "http://p", fault="refused")]))
    assert of(found, Level.OK) == [("gateway", "is ready at http://g")]
    assert of(found, Level.FAIL) == [
        ("exporter", "at http://e is not ready: clock: stands 20 s behind"),
        ("processor", "cannot be reached at http://p: refused"),
    ]
    assert found[-1].todo.endswith("or set worker.host")


@pytest.mark.parametrize(
    ("spool", "level", "what"),
    [
        (SpoolState(0, 0, 2**30, 2**30, None), Level.OK, "empty, room for 1,024 MiB"),
        (
            SpoolState(1_500, 2**29, 2**30, 2**29, NOW / 1000),
            Level.WARN,
            "accepted deliveries that wait for Kafka: 1,500, the oldest since 2026-03-02T12:00:00.000Z; room for 512 MiB",
        ),
        (
            SpoolState(1, 2**30 - 2**26, 2**30, 2**26, NOW / 1000),
            Level.FAIL,
            "accepted deliveries that wait for Kafka: 1, the oldest since 2026-03-02T12:00:00.000Z; room for 64 MiB",
        ),
    ],
    ids=["empty", "filling", "nearly full"],
)
def test_a_spool_in_which_something_waits(spool, level, what):
    found = list(of_services([ServiceSeen("gateway", "http://g", ready=True, spool=spool)]))
    assert of(found[1:], level) == [("spool of the gateway", what)]
    assert bool(found[1].todo) == (level is not Level.OK)


@pytest.mark.parametrize("page", ["", "<html>", "leadbeat_gateway_spool_deliveries 1\n", "leadbeat_gateway_spool_bytes x\n"])
async def test_a_page_that_tells_of_no_spool(page):
    async def answer(request):
        return Response(200, text=page)

    async with AsyncClient(transport=MockTransport(answer)) as client:
        assert await look(client, "gateway", "http://g") == ServiceSeen(
            "gateway", "http://g", ready=True, told=page[:200].strip()
        )


async def test_services_are_asked_where_they_can_be_reached():
    settings = Settings.model_validate(
        {
            "gateway": {"host": "0.0.0.0", "port": 1},  # noqa: S104 - nobody listens
            "exporter": {"host": "::", "port": 1},
            "worker": {"host": "::1", "processor_port": 1},
        }
    )
    found = await look_at_services(settings)
    assert [(service.name, service.url) for service in found] == [
        ("gateway", "http://127.0.0.1:1"),
        ("exporter", "http://[::1]:1"),
        ("processor", "http://[::1]:1"),
    ]
    assert all(service.fault for service in found)


@pytest.mark.parametrize(
    ("ms", "told"),
    [(4_240, "4.2 s"), (-4_240, "4.2 s"), (720_000, "12 min"), (12_000_000, "3 h 20 min"), (187_200_000, "2 d 4 h")],
)
def test_times_are_short_enough_for_a_line(ms, told):
    assert span(ms) == told


def test_a_fault_of_many_lines_is_one_line():
    assert str(of_fault(LeadbeatError("a", "two\n  lines", "mend"))) == "fail  a: two; lines (mend)"
    assert str(of_fault(Fatal("a", "\x1b[2J"))) == "fail  a: \\x1b[2J"
    assert (numbers({2}), numbers({3, 1})) == ("partition 2", "partitions 1, 3")


def applied_rules(version: int) -> RulesDocument:
    rules = Rules(version=version, zone="Asia/Kolkata", roster=(Membership("ana", Millis(0), "north"),))
    return RulesDocument(rules, Millis(NOW - 3 * MINUTE), "ada on a desk")


def test_which_rules_are_in_force():
    assert ("rules", "version 1 is in force: that of the configuration") in in_tables(Level.OK)
    told = "version 4 is in force, applied 3 min ago by ada on a desk"
    assert ("rules", f"{told}; those of the configuration are older (1)") in in_tables(Level.OK, rules=applied_rules(4))
    ((where, what),) = in_tables(Level.WARN, rules=applied_rules(1))
    assert where == "rules"
    assert "applied 3 min ago" in what
    assert "the configuration says something else under the same version" in what


def test_totals_are_held_against_the_rules_in_force_and_so_is_what_is_missing_in_them():
    rules = applied_rules(4)
    progress = Progress(9, "", NOW, valuation=valuation_of(rules.rules).encode())
    where = "rules and definitions"
    assert where in dict(in_tables(Level.OK, rules=rules, applied=[Applied(1, "t", 1, 0, progress)] * 4))
    assert where in dict(in_tables(Level.FAIL, applied=[Applied(1, "t", 1, 0, progress)] * 4))
    odd = [what for _, what in of(of_settings(SETTINGS, SETTINGS.rules()), Level.WARN)]
    assert "no roster: every rep counts as other" in odd
    assert "no roster: every rep counts as other" not in [
        what for _, what in of(of_settings(SETTINGS, rules.rules), Level.WARN)
    ]
