"""What is read from Redis, and which Redis is refused."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from redis_versions import BOTH, Running, running_redis
from stored import FURTHER, MESSAGE, PROGRESS, WRITES, committed, restore, snapshot

from streams.errors import Fatal, Retry
from streams.processing.checkpoint import claim_partition
from streams.processing.cut import Writes, cut_aside, cut_checkpoint
from streams.tables import (
    BUCKETS,
    Applied,
    Keys,
    KpiKeys,
    Pane,
    Progress,
    Redis,
    Seen,
    Waiting,
    bucket_of,
    check_layout,
    check_server,
    connect,
    read_applied,
    read_changes,
    read_due,
    read_open,
    read_outbox,
    read_panes,
    read_states,
    read_totals,
    walk_states,
)
from streams.tables.rows import decode_applied, decode_outgoing, decode_waiting, encode_outgoing
from streams.tables.rules import read_rules_version
from streams.tables.still import read_still

WINDOWS = ["1h", "7d"]


pytestmark = pytest.mark.redis


@pytest.fixture(params=BOTH)
def running(request, started) -> Running:
    return running_redis(started, request.param)


@pytest.fixture
async def redis(running) -> AsyncIterator[Redis]:
    async with connect(running.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def keys() -> Keys:
    return Keys("lb", 3)


@pytest.fixture
async def held(redis, keys) -> Applied:
    return await claim_partition(redis, keys, 4, "mine")


class TestKeys:
    def test_all_of_a_partition_share_its_slot_and_all_of_a_generation_its_number(self):
        keys = Keys("lb", 3).of(7)

        assert (keys.applied, keys.outbox, keys.state(255)) == ("lb:{3}:applied", "lb:{3}:outbox", "lb:{3}:state:lead:255")
        assert keys.pane(Pane("10s", 1_000)) == "lb:{3}:7:pane:10s:1000"
        assert (keys.window("1h"), keys.level, keys.oldest) == ("lb:{3}:7:window:1h", "lb:{3}:7:level", "lb:{3}:7:oldest")
        assert (keys.changed, keys.series) == ("lb:{3}:7:changed", "lb:{3}:7:series")
        assert (keys.due, keys.open) == ("lb:{3}:7:due", "lb:{3}:7:open")

    def test_the_kpi_table_has_a_slot_of_its_own(self):
        assert (KpiKeys("lb").applied, KpiKeys("lb").window("1h")) == ("lb:{kpi}:applied", "lb:{kpi}:1h")

    def test_subjects_are_spread_over_all_buckets_and_keep_theirs(self):
        assert bucket_of("crm:1") == 167  # stored under it: another answer would lose the state
        assert {bucket_of(f"crm:{number}") for number in range(5_000)} == set(range(BUCKETS))


class TestLoading:
    async def test_a_partition_that_nobody_claimed_has_no_record(self, redis, keys, held):
        assert await read_applied(redis, [keys, Keys("lb", 0)]) == [held, None]

    async def test_no_states_are_asked_for_without_subjects(self, redis, keys):
        assert await read_states(redis, keys, []) == {}

    async def test_states_are_fetched_in_one_round_trip(self, redis, keys, held):
        states = {f"crm:{number}": b"%d" % number for number in range(2_000)}
        await committed(redis, cut_checkpoint(keys, held, Writes(states=states), PROGRESS))
        await redis.config_resetstat()

        assert await read_states(redis, keys, [*states, "crm:unknown"]) == states
        assert (await redis.info("commandstats"))["cmdstat_hmget"]["calls"] == BUCKETS + 1  # and where the partition stands

    async def test_all_states_are_walked_over_once(self, redis, keys, held):
        states = {f"crm:ü{number}": b"%d" % number for number in range(600)}
        await committed(redis, cut_checkpoint(keys, held, Writes(states=states), PROGRESS))

        walked = [item async for bucket in walk_states(redis, keys) for item in bucket.items()]

        assert sorted(walked) == sorted(states.items())

    async def test_totals_of_more_than_a_page_are_read_whole(self, redis, keys, held):
        writes = Writes(
            series=[f"touches|rep={number}" for number in range(12_001)],
            due={f"crm:{number}": number for number in range(12_001)},
            panes={Pane("10s", number * 10_000): {0: b"%d" % number} for number in range(150)},
        )
        await committed(redis, cut_checkpoint(keys, held, writes, PROGRESS))

        totals = await read_totals(redis, keys)

        assert totals.series == writes.series
        assert await read_due(redis, keys, -1, 12_001) == writes.due
        assert await read_due(redis, keys, 3, 6_005) == {f"crm:{number}": number for number in range(4, 6_006)}
        assert {pane: chunks async for pane, chunks in read_panes(redis, keys, totals.panes)} == writes.panes

    async def test_an_empty_generation_has_empty_totals(self, redis, keys, held):
        totals = await read_totals(redis, keys)

        assert (totals.series, totals.windows, totals.levels, totals.oldest, totals.panes) == ([], {}, {}, {}, [])
        assert (await read_due(redis, keys, -1, 1), totals.open) == ({}, {})

    async def test_panes_that_are_gone_are_empty(self, redis, keys):
        assert [found async for found in read_panes(redis, keys, [Pane("1d", 0)])] == [(Pane("1d", 0), {})]

    async def test_a_key_of_another_type_is_fatal(self, redis, keys, held):
        await redis.set(keys.level, "somebody else's")
        with pytest.raises(Fatal, match="WRONGTYPE"):
            await read_totals(redis, keys)

    async def test_a_server_that_is_gone_may_come_back(self, keys):
        async with connect("redis://127.0.0.1:1/0") as client:
            with pytest.raises(Retry, match="does not answer"):
                await read_applied(client, [keys])
            with pytest.raises(Retry, match="does not answer"):
                await read_totals(client, keys)

    @pytest.mark.parametrize("fields", [{}, {b"claim": b"1"}, {b"claim": b"one"}])
    def test_a_record_that_is_not_ours_is_fatal(self, fields):
        with pytest.raises(Fatal, match="is not a partition's record"):
            decode_applied(fields, "lb:{3}:applied")

    async def test_what_others_have_written_is_fatal_wherever_it_stands(self, redis, keys, held):
        strange = {keys.oldest: b"soon", keys.level: b"many", keys.window("1h"): b"many"}
        await redis.sadd(keys.parts, "window:1h")
        for key, value in strange.items():
            await redis.hset(key, value, value)
            with pytest.raises(Fatal, match="holds what this version does not write"):
                await read_totals(redis, keys)
            await redis.delete(key)
        await redis.zadd(keys.changed, {"o:": 1})
        await redis.hset(keys.oldest, "", "soon")
        with pytest.raises(Fatal, match="holds what this version does not write"):
            await read_changes(redis, keys, WINDOWS, Seen())
        await redis.delete(keys.oldest)
        await redis.zadd(keys.open, {b"[" * 5_000: 1})
        for reads in (read_totals, read_open, partial(read_still, measures=())):
            with pytest.raises(Fatal, match=f"{re.escape(keys.open)}|{re.escape(keys.applied)}"):
                await reads(redis, keys)
        await redis.xadd(keys.outbox, {"id": "a"})
        with pytest.raises(Fatal, match="holds what this version does not write"):
            await read_outbox(redis, keys)
        await redis.hset("lb:{rules}:documents", "version", "latest")
        with pytest.raises(Fatal, match="holds what this version does not write"):
            await read_rules_version(redis, "lb")

    def test_rows_are_read_as_they_are_written(self):
        assert decode_waiting(b"5 -") == Waiting(5, None)
        assert decode_outgoing({b"id": b"a", b"topic": b"t", b"value": b"v"}).key is None
        for message in (MESSAGE, MESSAGE._replace(partition=3), MESSAGE._replace(key=None, partition=0)):
            fields = encode_outgoing(message)
            assert decode_outgoing(dict(zip(fields[::2], fields[1::2], strict=True))) == message


class TestChanges:
    async def test_a_reader_that_knows_nothing_gets_everything(self, redis, keys, held):
        held = await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))

        changed = await read_changes(redis, keys, WINDOWS, Seen())

        assert changed is not None
        assert (changed.whole, changed.applied) == (True, held)
        assert changed.series == WRITES.series
        assert changed.windows == WRITES.windows
        assert changed.levels == WRITES.levels
        assert changed.oldest == WRITES.oldest
        assert changed.seen == Seen("mine", 1, 1, 2)

    async def test_then_it_gets_only_what_has_changed_or_gone(self, redis, keys, held):
        held = await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))
        seen = (await read_changes(redis, keys, WINDOWS, Seen())).seen
        held = await committed(redis, cut_checkpoint(keys, held, FURTHER, PROGRESS))

        changed = await read_changes(redis, keys, WINDOWS, seen)

        assert (changed.whole, changed.applied) == (False, held)
        assert changed.series == ["replies"]
        assert changed.windows == {"1h": {0: None, 1: b"w1 again"}}
        assert changed.levels == {0: None, 1: b"l1"}
        assert changed.oldest == {"": None}
        assert changed.seen == Seen("mine", 1, 2, 3)

    async def test_then_nothing(self, redis, keys, held):
        await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))
        seen = (await read_changes(redis, keys, WINDOWS, Seen())).seen

        changed = await read_changes(redis, keys, WINDOWS, seen)

        assert (changed.whole, changed.windows, changed.levels, changed.oldest, changed.series) == (False, {}, {}, {}, [])

    async def test_windows_that_are_not_asked_for_are_left_out(self, redis, keys, held):
        await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))

        assert set((await read_changes(redis, keys, ["7d"], Seen())).windows) == {"7d"}

    async def test_more_chunks_and_names_than_one_command_takes(self, redis, keys, held):
        writes = Writes(windows={"1h": dict.fromkeys(range(2_500), b"w")}, series=[f"s{number}" for number in range(9_000)])
        await committed(redis, cut_checkpoint(keys, held, writes, PROGRESS))
        await redis.config_resetstat()

        changed = await read_changes(redis, keys, WINDOWS, Seen())

        assert (changed.whole, changed.windows, changed.series) == (True, writes.windows, writes.series)
        commands = await redis.info("commandstats")
        # Once for the generation, then 4,000 names at a time: no script holds the server up for long.
        assert commands["cmdstat_evalsha"]["calls"] == 4

    async def test_a_slice_may_be_named_like_anything(self, redis, keys, held):
        slices = {name: Waiting(1, None) for name in ("rep=a:b", "w:1h:0", "team=", "", "lead_source=l:0")}
        await committed(redis, cut_checkpoint(keys, held, Writes(oldest=slices), PROGRESS))

        assert (await read_changes(redis, keys, WINDOWS, Seen())).oldest == slices

    async def test_another_owner_voids_what_was_known(self, redis, keys, held):
        await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))
        seen = (await read_changes(redis, keys, WINDOWS, Seen())).seen
        await claim_partition(redis, keys, 4, "theirs")

        changed = await read_changes(redis, keys, WINDOWS, seen)

        assert (changed.whole, changed.series, changed.windows) == (True, WRITES.series, WRITES.windows)
        assert changed.seen == Seen("theirs", 1, 1, 2)

    async def test_a_sequence_that_has_gone_back_voids_what_was_known(self, redis, keys, held):
        held = await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))
        copy = await snapshot(redis)
        await committed(redis, cut_checkpoint(keys, held, FURTHER, PROGRESS))
        seen = (await read_changes(redis, keys, WINDOWS, Seen())).seen
        await restore(redis, copy)

        changed = await read_changes(redis, keys, WINDOWS, seen)

        assert (changed.whole, changed.levels, changed.series) == (True, WRITES.levels, WRITES.series)

    async def test_another_generation_is_read_whole_from_its_own_keys(self, redis, keys, held):
        held = await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))
        seen = (await read_changes(redis, keys, WINDOWS, Seen())).seen
        held = await committed(redis, cut_aside(keys.of(2), held, Writes(levels={7: b"new"}, series=["other"])))
        await committed(redis, cut_checkpoint(keys.of(2), held, Writes(), replace(PROGRESS, generation=2)))

        changed = await read_changes(redis, keys, WINDOWS, seen)

        assert (changed.whole, changed.levels, changed.windows, changed.series) == (True, {7: b"new"}, {}, ["other"])
        assert changed.seen == Seen("mine", 2, 2, 1)

    async def test_a_partition_that_nobody_has_claimed_has_none(self, redis, keys):
        assert await read_changes(redis, keys, WINDOWS, Seen()) is None

    async def test_a_claimed_one_with_nothing_in_it_has_a_record(self, redis, keys, held):
        changed = await read_changes(redis, keys, WINDOWS, Seen())

        assert (changed.applied, changed.windows, changed.seen) == (held, {}, Seen("mine", 1, 0, 0))

    async def test_a_generation_that_never_stands_still_is_asked_for_again_later(self, redis, keys, held, monkeypatch):
        monkeypatch.setattr("streams.tables.changes._ATTEMPTS", 1)
        with pytest.raises(Retry, match="generation"):
            await read_changes(redis, keys, WINDOWS, Seen())


class FakeServer:
    """Says of itself what it is told to."""

    def __init__(self, **info: Any) -> None:
        self._info = {"redis_version": "7.0.15", "role": "master", "maxmemory_policy": "noeviction", **info}

    async def info(self) -> dict[str, Any]:
        return self._info

    async def execute_command(self, *_: Any) -> list[bytes]:
        return []


class TestServer:
    async def test_a_real_one_is_taken_and_left_as_it_was(self, redis):
        await check_server(redis, "lb")

        assert await redis.keys("*") == []

    @pytest.mark.parametrize("version", ["6.2.0", "7.0.15", "8.2.1", "10.0.0"])
    async def test_versions_from_6_2_on_are_taken(self, version):
        await check_server(FakeServer(redis_version=version), "lb")

    @pytest.mark.parametrize("version", ["6.0.16", "5.0.14", "2.8.4"])
    async def test_older_ones_are_refused(self, version):
        with pytest.raises(Fatal, match=f"version {version} is too old"):
            await check_server(FakeServer(redis_version=version), "lb")

    async def test_a_replica_is_refused(self):
        with pytest.raises(Fatal, match="slave"):
            await check_server(FakeServer(role="slave"), "lb")

    @pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
    async def test_one_that_evicts_is_refused(self, redis, policy):
        await redis.config_set("maxmemory-policy", policy)
        try:
            with pytest.raises(Fatal, match=f"maxmemory-policy is {policy}"):
                await check_server(redis, "lb")
        finally:
            await redis.config_set("maxmemory-policy", "noeviction")

    RIGHTS = ("+@hash", "+@set", "+@sortedset", "+@stream", "+@scripting", "+unlink", "+type", "+exists", "+info", "+time")

    @pytest.mark.parametrize("missing", [None, "zadd", "xinfo", "unlink", "hset", "info"])
    async def test_a_user_who_may_not_do_all_that_a_checkpoint_does_is_refused(self, redis, running, missing):
        rights = [*self.RIGHTS, *([f"-{missing}"] if missing else [])]
        await redis.execute_command("ACL", "SETUSER", "worker", "reset", "on", ">pass", "~lb:*", *rights)
        try:
            async with connect(running.url.replace("redis://", "redis://worker:pass@")) as worker:
                if missing:
                    with pytest.raises(Fatal, match=f"(?i){missing}"):
                        await check_server(worker, "lb")
                else:
                    await check_server(worker, "lb")
        finally:
            await redis.acl_deluser("worker")
        assert missing == "unlink" or await redis.keys("*") == []

    async def test_a_full_one_is_waited_for(self, redis):
        await redis.config_set("maxmemory", 1)
        try:
            with pytest.raises(Retry, match="OOM"):
                await check_server(redis, "lb")
        finally:
            await redis.config_set("maxmemory", 0)

    async def test_one_that_is_away_is_waited_for(self):
        async with connect("redis://127.0.0.1:1/0") as client:
            with pytest.raises(Retry):
                await check_server(client, "lb")


class TestLayout:
    async def test_the_same_is_taken_and_so_is_nothing(self, redis, keys, held):
        await check_layout(redis, "lb", 4)
        await check_layout(redis, "other", 8)

    @pytest.mark.parametrize(("field", "value"), [("partitions", "8"), ("layout", "0")])
    async def test_another_one_under_any_partition_is_refused(self, redis, keys, held, field, value):
        await redis.hset(keys.applied, field, value)
        with pytest.raises(Fatal, match=f"{field} {value} is stored"):
            await check_layout(redis, "lb", 4)

    async def test_a_server_that_is_away_is_waited_for(self):
        async with connect("redis://127.0.0.1:1/0") as client:
            with pytest.raises(Retry):
                await check_layout(client, "lb", 4)


def test_a_new_partition_has_no_progress():
    assert Progress() == Progress(offset=None, fingerprint="", clock=None, ticks={}, generation=1, valuation="")
