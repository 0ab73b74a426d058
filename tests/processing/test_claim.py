"""Who holds a partition or the KPI table, and what else than a checkpoint of the partition they write."""

from dataclasses import replace

import pytest
from stored import FURTHER, PROGRESS, WRITES, applied, committed, restore, snapshot, unchanged

from streams.errors import Fatal, Retry
from streams.processing.checkpoint import Outcome, claim_partition, claim_table, commit, new_token, plan_removal
from streams.processing.cut import (
    Publishing,
    Writes,
    cut_aside,
    cut_checkpoint,
    cut_removal,
    cut_round,
    cut_trim,
)
from streams.tables import Applied, KpiKeys, Pane, Progress, read_kpis, read_outbox, read_panes, read_totals
from streams.tables.rows import LAYOUT

pytestmark = pytest.mark.redis

NEXT = replace(PROGRESS, generation=2)


class TestClaim:
    async def test_the_first_begins_at_nothing(self, redis, keys):
        held = await claim_partition(redis, keys, 4, "mine")

        assert held == Applied(1, "mine", 0, 0, Progress())
        assert (await redis.hget(keys.applied, "layout"), await redis.hget(keys.applied, "partitions")) == (
            LAYOUT.encode(),
            b"4",
        )

    async def test_each_one_counts_and_reads_what_is_stored(self, redis, keys, held):
        await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))

        assert await claim_partition(redis, keys, 4, "theirs") == Applied(2, "theirs", 1, 0, PROGRESS)
        assert (await claim_partition(redis, keys, 4, "mine")).claim == 3

    async def test_the_same_again_after_a_lost_answer_changes_nothing(self, redis, keys, held):
        assert await claim_partition(redis, keys, 4, "mine") == held == await applied(redis, keys)

    def test_tokens_are_not_given_twice(self):
        assert len({new_token() for _ in range(1000)}) == 1000

    async def test_another_partition_count_is_refused(self, redis, keys, held):
        with pytest.raises(Fatal, match="partitions 4 is stored, this process has 8"):
            await claim_partition(redis, keys, 8, "theirs")
        assert await applied(redis, keys) == held

    async def test_another_layout_is_refused(self, redis, keys, held):
        await redis.hset(keys.applied, "layout", "99")
        with pytest.raises(Fatal, match=f"layout 99 is stored, this process has {LAYOUT}"):
            await claim_partition(redis, keys, 4, "theirs")

    @pytest.mark.parametrize("field", ["layout", "partitions", "claim", "seq", "aside", "generation"])
    async def test_a_record_that_lacks_a_field_is_refused(self, redis, keys, held, field):
        await redis.hdel(keys.applied, field)
        before = await snapshot(redis)
        with pytest.raises(Fatal, match=field):
            await claim_partition(redis, keys, 4, "theirs")
        assert await snapshot(redis) == before

    async def test_a_key_of_another_type_is_refused(self, redis, keys):
        await redis.set(keys.applied, "somebody else's")
        with pytest.raises(Fatal, match="is a string, not a hash"):
            await claim_partition(redis, keys, 4, "mine")

    async def test_a_record_that_cannot_be_read_is_refused(self, redis, keys, held):
        await redis.hset(keys.applied, "seq", "many")
        with pytest.raises(Fatal, match="is not a partition's record"):
            await claim_partition(redis, keys, 4, "mine")

    async def test_a_full_server_gives_no_claim(self, redis, keys, held):
        await redis.config_set("maxmemory", 1)
        with pytest.raises(Retry, match="OOM"):
            await claim_partition(redis, keys, 4, "theirs")
        assert await applied(redis, keys) == held


class TestNextGeneration:
    async def test_it_is_prepared_in_pieces_and_switched_to_at_once(self, redis, keys, held):
        held = await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))
        first = replace(WRITES, states={}, pages={}, outgoing=[])
        second = Writes(series=["replies"], known_series=2, levels={5: b"l5"})

        held = await committed(redis, cut_aside(keys.of(2), held, first))
        held = await committed(redis, cut_aside(keys.of(2), held, second))
        assert (await applied(redis, keys)).progress == PROGRESS
        held = await committed(redis, cut_checkpoint(keys.of(2), held, Writes(), NEXT))

        assert await applied(redis, keys) == held == Applied(1, "mine", 2, 2, NEXT)
        totals = await read_totals(redis, keys.of(2))
        assert (totals.windows, totals.levels) == (WRITES.windows, {0: b"l0", 5: b"l5"})
        assert totals.series == ["touches", "touches|rep=mia", "replies"]

    async def test_a_piece_sent_again_changes_nothing(self, redis, keys, held):
        piece = cut_aside(keys.of(2), held, Writes(levels={0: b"l"}))
        await committed(redis, piece)

        assert (await unchanged(redis, piece)).outcome == Outcome.DUP

    async def test_the_switch_is_refused_if_redis_has_lost_a_piece(self, redis, keys, held):
        copy = await snapshot(redis)
        then = await committed(redis, cut_aside(keys.of(2), held, Writes(levels={0: b"l"})))
        await restore(redis, copy)

        answer = await unchanged(redis, cut_checkpoint(keys.of(2), then, Writes(), NEXT))

        assert answer == (Outcome.ROLLED_BACK, "aside 0 is stored, mine is 1")

    async def test_a_piece_is_fenced(self, redis, keys, held):
        piece = cut_aside(keys.of(2), held, Writes(levels={0: b"l"}))
        await claim_partition(redis, keys, 4, "theirs")

        assert (await unchanged(redis, piece)).outcome == Outcome.FENCED

    async def test_a_piece_is_refused_if_redis_has_lost_a_checkpoint(self, redis, keys, held):
        copy = await snapshot(redis)
        held = await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))
        await restore(redis, copy)

        assert (await unchanged(redis, cut_aside(keys.of(2), held, Writes(levels={0: b"l"})))).outcome == Outcome.ROLLED_BACK

    def test_nothing_is_written_aside_to_what_is_read(self, keys):
        held = Applied(1, "mine", 0, 0, Progress())
        with pytest.raises(ValueError, match="the one that is read"):
            cut_aside(keys, held, Writes())
        with pytest.raises(ValueError, match="the one that is read"):
            cut_removal(keys, held, [keys.level])

    @pytest.mark.parametrize("writes", [Writes(states={"crm:1": b"x"}), Writes(outgoing=WRITES.outgoing)])
    def test_states_and_messages_are_not_written_aside(self, keys, writes):
        with pytest.raises(ValueError, match="sequence"):
            cut_aside(keys.of(2), Applied(1, "mine", 0, 0, Progress()), writes)


class TestRemoval:
    @pytest.fixture
    async def switched(self, redis, keys, held) -> Applied:
        held = await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))
        many = Writes(panes={Pane("10s", number): {0: b"p"} for number in range(700)})
        held = await committed(redis, cut_checkpoint(keys, held, many, PROGRESS))
        held = await committed(redis, cut_aside(keys.of(2), held, replace(WRITES, states={}, pages={}, outgoing=[])))
        return await committed(redis, cut_checkpoint(keys.of(2), held, Writes(), NEXT))

    async def test_every_key_of_the_old_generation_goes_and_no_other(self, redis, keys, switched):
        others = {name for name in await redis.keys("*") if not name.startswith(keys.part("").encode())}
        held = switched

        for removal in await plan_removal(redis, keys, held):
            held = await committed(redis, removal)

        assert set(await redis.keys("*")) == others
        assert {pane: chunks async for pane, chunks in read_panes(redis, keys.of(2), WRITES.panes)} == WRITES.panes
        assert await plan_removal(redis, keys, held) == []

    async def test_broken_off_it_is_finished_by_the_next_owner(self, redis, keys, switched):
        plan = await plan_removal(redis, keys, switched)
        assert len(plan) == 3
        await committed(redis, plan[0])
        held = await claim_partition(redis, keys, 4, "theirs")

        for removal in await plan_removal(redis, keys, held):
            held = await committed(redis, removal)

        assert await redis.keys(keys.part("*")) == []

    async def test_it_is_fenced(self, redis, keys, switched):
        (removal, *_) = await plan_removal(redis, keys, switched)
        await claim_partition(redis, keys, 4, "theirs")

        assert (await unchanged(redis, removal)).outcome == Outcome.FENCED


class TestTrim:
    async def test_what_is_published_goes_and_what_came_later_stays(self, redis, keys, held):
        held = await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))
        held = await committed(redis, cut_checkpoint(keys, held, FURTHER, PROGRESS))

        for _ in range(2):
            assert await committed(redis, cut_trim(keys, held, 1)) == held

        assert [(seq, message.id) for seq, message in await read_outbox(redis, keys)] == [(2, "a3")]

    async def test_it_is_fenced(self, redis, keys, held):
        held = await committed(redis, cut_checkpoint(keys, held, WRITES, PROGRESS))
        await claim_partition(redis, keys, 4, "theirs")

        assert (await unchanged(redis, cut_trim(keys, held, 1))).outcome == Outcome.FENCED


KPIS = KpiKeys("lb")
ROWS = {"1h": {"touches": b'{"value":3}', "touches|rep=mia": b'{"value":1}'}, "now": {"leads_overdue": b'{"value":0}'}}
RECORD = {"clock": "90000", "exact": "1"}


class TestKpiTable:
    async def test_a_round_is_written_and_read_whole(self, redis):
        held = await claim_table(redis, KPIS, "mine")
        assert held == Publishing(1, "mine", 0)

        await committed(redis, cut_round(KPIS, held, ROWS, RECORD))

        table = await read_kpis(redis, KPIS, ["1h", "now", "7d"])
        assert table.rows == {**ROWS, "7d": {}}
        assert {name: table.record[name] for name in ("round", "clock", "exact")} == {"round": "1", **RECORD}

    async def test_rows_go(self, redis):
        held = await claim_table(redis, KPIS, "mine")
        held = await committed(redis, cut_round(KPIS, held, ROWS, RECORD))

        await committed(redis, cut_round(KPIS, held, {"1h": {"touches": None}}, RECORD))

        assert (await read_kpis(redis, KPIS, ["1h"])).rows == {"1h": {"touches|rep=mia": b'{"value":1}'}}

    async def test_a_round_counts_once_and_a_newer_publisher_fences(self, redis):
        held = await claim_table(redis, KPIS, "mine")
        round_ = cut_round(KPIS, held, ROWS, RECORD)
        held = await committed(redis, round_)

        assert (await unchanged(redis, round_)).outcome == Outcome.DUP
        assert await claim_table(redis, KPIS, "theirs") == Publishing(2, "theirs", 1)
        assert (await unchanged(redis, cut_round(KPIS, held, ROWS, RECORD))).outcome == Outcome.FENCED

    async def test_a_window_of_another_type_refuses_the_whole(self, redis):
        held = await claim_table(redis, KPIS, "mine")
        await redis.set(KPIS.window("now"), "somebody else's")

        assert (await unchanged(redis, cut_round(KPIS, held, ROWS, RECORD))).outcome == Outcome.REFUSED

    async def test_before_the_first_round_it_is_empty(self, redis):
        table = await read_kpis(redis, KPIS, ["1h"])

        assert (table.record, table.rows) == ({}, {"1h": {}})


async def test_a_partition_that_nobody_has_claimed_takes_no_checkpoint(redis, keys):
    answer = await commit(redis, cut_checkpoint(keys, Applied(1, "mine", 0, 0, Progress()), WRITES, PROGRESS))

    assert answer.outcome == Outcome.ROLLED_BACK
