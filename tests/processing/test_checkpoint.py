"""A checkpoint moves everything or nothing, once, and only for whoever holds the partition."""

from dataclasses import replace

import msgspec
import pytest
from stored import FURTHER, PROGRESS, WRITES, applied, committed, restore, snapshot, unchanged

from streams.processing.checkpoint import Outcome, claim_partition, commit
from streams.processing.cut import Checkpoint, Writes, cut_checkpoint
from streams.tables import (
    Applied,
    Keys,
    Pane,
    Parts,
    Progress,
    Waiting,
    Wanted,
    read_due,
    read_outbox,
    read_panes,
    read_parts,
    read_states,
    read_totals,
)

pytestmark = pytest.mark.redis

NEW = Applied(1, "mine", 0, 0, Progress())
KEYS_OF_ALL_KINDS = sorted(cut_checkpoint(Keys("lb", 3), NEW, WRITES, PROGRESS).keys)


@pytest.fixture
def first(keys, held) -> Checkpoint[Applied]:
    return cut_checkpoint(keys, held, WRITES, PROGRESS)


NO_FILLS = (
    1,
    [],
    {"a": 1},
    [1],
    ["1", "m"],
    [1, 2],
    [None, "m"],
    [1.5, "m"],
    [10**16, "m"],
    [float("inf"), "m"],
    [1, "m"] * 501,
)
"""What is packed where members and their instants should be."""

NO_TEXTS = (1, [], {"a": "1"}, ["a"], [1, "m"], ["m", 1], ["m", None], ["a", "m"] * 501)
"""What is packed where fields and their texts should be."""

packed = msgspec.msgpack.encode


class TestWriting:
    async def test_everything_is_stored(self, redis, keys, held, first):
        answer = await commit(redis, first)

        assert answer.written
        assert await applied(redis, keys) == first.then == replace(held, seq=1, progress=PROGRESS)
        assert await read_states(redis, keys, ["crm:1", "crm:2", "crm:3"]) == WRITES.states
        totals = await read_totals(redis, keys)
        assert totals.series == WRITES.series
        assert totals.windows == WRITES.windows
        assert totals.levels == WRITES.levels
        assert totals.oldest == WRITES.oldest
        assert await read_due(redis, keys, 0, 10**14) == WRITES.due
        assert totals.open == WRITES.open
        assert {pane: chunks async for pane, chunks in read_panes(redis, keys, totals.panes)} == WRITES.panes
        for measure, members in WRITES.members.items():
            found = await redis.zrange(keys.members(measure), 0, -1, withscores=True)
            assert {member.decode(): at for member, at in found} == members
        assert await read_outbox(redis, keys) == [(1, message) for message in WRITES.outgoing]
        wanted = {"crm:2": Wanted(rows=True, pages=[7, 8]), "crm:3": Wanted(rows=False, pages=[1]), "crm:4": Wanted(True, [])}
        assert await read_parts(redis, keys, wanted) == {
            "crm:2": Parts(WRITES.rows["crm:2"], {7: b"another", 8: None}),
            "crm:3": Parts(None, {1: b"of another"}),
            "crm:4": Parts({}, {}),
        }

    async def test_what_is_gone_is_deleted(self, redis, keys, first):
        held = await committed(redis, first)

        await committed(redis, cut_checkpoint(keys, held, FURTHER, replace(PROGRESS, offset=20)))

        assert await read_states(redis, keys, ["crm:1", "crm:2"]) == {"crm:1": b"new"}
        totals = await read_totals(redis, keys)
        assert totals.windows == {"1h": {1: b"w1 again"}, "7d": {0: b"v0"}}
        assert totals.levels == {1: b"l1"}
        assert totals.oldest == {"rep=mia": Waiting(60_000, None)}
        assert await read_due(redis, keys, 0, 10**14) == {"crm:2": 98_000}
        assert totals.open == {}
        assert totals.series == ["touches", "touches|rep=mia", "replies"]
        assert sorted(totals.panes) == [Pane("10s", 100_000), Pane("1d", 0)]
        assert not await redis.exists(keys.pane(Pane("10s", 90_000)))
        assert await redis.zrange(keys.members("calls"), 0, -1) == [b'["crm:2",70000,0]', b'["crm:3",70001,0]']
        assert not await redis.exists(keys.members("emails"), keys.members("messages"))
        assert not await redis.exists(keys.pages("crm:2"), keys.rows("crm:2"))
        assert await read_parts(redis, keys, {"crm:3": Wanted(rows=True, pages=[1, 2])}) == {
            "crm:3": Parts({0: b"others"}, {1: None, 2: b"instead"})
        }
        assert {part for part in await redis.smembers(keys.parts) if part.startswith(b"rows")} == {b"rows:lead:crm:3"}
        assert [(seq, message.id) for seq, message in await read_outbox(redis, keys)] == [(1, "a1"), (1, "a2"), (2, "a3")]

    async def test_one_that_only_moves_the_clock_counts(self, redis, keys, held):
        later = cut_checkpoint(keys, held, Writes(), replace(held.progress, clock=1))

        assert await committed(redis, later) == await applied(redis, keys) == replace(held, seq=1, progress=Progress(clock=1))

    async def test_a_big_one_is_stored_whole(self, redis, keys, held, record_property):
        writes = Writes(
            states={f"crm:{number}": b"%d" % number * 100 for number in range(10_000)},
            panes={Pane("10s", start * 10_000): dict.fromkeys(range(250), b"c" * 200) for start in range(80)},
        )
        checkpoint = cut_checkpoint(keys, held, writes, PROGRESS)
        await redis.config_resetstat()

        await committed(redis, checkpoint)

        commands = await redis.info("commandstats")
        spent_ms = (
            sum(commands[f"cmdstat_{name}"]["usec"] for name in ("eval", "evalsha") if f"cmdstat_{name}" in commands) / 1000
        )
        record_property("milliseconds of Redis", spent_ms)
        assert await read_states(redis, keys, writes.states) == writes.states
        assert {pane: chunks async for pane, chunks in read_panes(redis, keys, writes.panes)} == writes.panes

    async def test_a_server_that_has_forgotten_the_script_is_given_it_again(self, redis, first):
        await redis.script_flush()

        await committed(redis, first)


class TestSequence:
    async def test_sent_again_after_a_lost_answer_it_changes_nothing(self, redis, first):
        await committed(redis, first)

        answer = await unchanged(redis, first)

        assert (answer, answer.written) == ((Outcome.DUP, ""), True)

    async def test_an_older_one_is_refused_as_rolled_back(self, redis, keys, first):
        second = cut_checkpoint(keys, first.then, FURTHER, PROGRESS)
        third = cut_checkpoint(keys, second.then, Writes(), PROGRESS)
        for checkpoint in (first, second, third):
            await committed(redis, checkpoint)

        assert await unchanged(redis, first) == (Outcome.ROLLED_BACK, "seq 3 is stored, mine is 0")

    async def test_redis_that_lost_the_last_one_is_noticed(self, redis, keys, first):
        copy = await snapshot(redis)
        held = await committed(redis, first)
        await restore(redis, copy)

        answer = await unchanged(redis, cut_checkpoint(keys, held, FURTHER, PROGRESS))

        assert (answer, answer.written) == ((Outcome.ROLLED_BACK, "seq 0 is stored, mine is 1"), False)

    async def test_redis_that_lost_everything_is_noticed(self, redis, first):
        await redis.flushall()

        assert await unchanged(redis, first) == (Outcome.ROLLED_BACK, "claim 0 is stored, mine is 1")


class TestFence:
    async def test_a_newer_claim_fences(self, redis, keys, first):
        await claim_partition(redis, keys, 4, "theirs")

        assert await unchanged(redis, first) == (Outcome.FENCED, "claim 2 is stored, mine is 1")

    async def test_a_newer_claim_fences_even_what_was_written_before_it(self, redis, keys, first):
        await committed(redis, first)
        await claim_partition(redis, keys, 4, "theirs")

        assert (await unchanged(redis, first)).outcome == Outcome.FENCED

    async def test_a_claim_that_redis_has_lost_is_rolled_back(self, redis, keys, held):
        copy = await snapshot(redis)
        newer = await claim_partition(redis, keys, 4, "newer")
        await restore(redis, copy)

        assert (await unchanged(redis, cut_checkpoint(keys, newer, WRITES, PROGRESS))).outcome == Outcome.ROLLED_BACK

    async def test_the_same_claim_number_in_other_hands_fences(self, redis, keys, held):
        copy = await snapshot(redis)
        mine = await claim_partition(redis, keys, 4, "mine again")
        await restore(redis, copy)
        theirs = await claim_partition(redis, keys, 4, "theirs")

        assert mine.claim == theirs.claim
        assert (await unchanged(redis, cut_checkpoint(keys, mine, WRITES, PROGRESS))).outcome == Outcome.FENCED


class TestValidation:
    @pytest.mark.parametrize("planted", KEYS_OF_ALL_KINDS)
    async def test_a_key_of_another_type_refuses_the_whole(self, redis, first, planted):
        await redis.delete(planted)
        await redis.set(planted, "somebody else's")

        answer = await unchanged(redis, first)

        assert (answer.outcome, planted in answer.reason) == (Outcome.REFUSED, True)

    async def test_series_that_do_not_join_on_refuse(self, redis, keys, first):
        held = await committed(redis, first)
        writes = Writes(series=["replies"], known_series=1)

        answer = await unchanged(redis, cut_checkpoint(keys, held, writes, PROGRESS))

        assert answer == (Outcome.REFUSED, f"{keys.series}: has 2 fields, not 1")

    @pytest.mark.parametrize("kept", [1, 0], ids=["stored", "trimmed"])
    @pytest.mark.parametrize("last", ["1-0", "1-7", "9-0"])
    async def test_messages_that_are_not_behind_the_last_ones_refuse(self, redis, keys, first, last, kept):
        await redis.xadd(keys.outbox, {"id": "x"}, id=last)
        await redis.xtrim(keys.outbox, maxlen=kept)

        assert await unchanged(redis, first) == (Outcome.REFUSED, f"{keys.outbox}: entry 1-0 is not behind {last}")

    @pytest.mark.parametrize(
        "operation",
        [
            [b"ZADD", b"KEY", b"2", b"nan", b"m"],
            [b"ZADD", b"KEY", b"2", b"inf", b"m"],
            [b"ZADD", b"KEY", b"2", b" 1", b"m"],
            [b"ZADD", b"KEY", b"2", b"1.5", b"m"],
            [b"ZADD", b"KEY", b"2", b"99999999999999999", b"m"],
            [b"ZADD", b"KEY", b"4", b"1", b"m", b"x", b"n"],
            [b"HSET", b"KEY", b"1", b"f"],
            [b"HSET", b"KEY", b"0"],
            [b"HSET", b"KEY", b"4", b"f", b"v"],
            [b"HSET", b"KEY", b"1002", *[b"f"] * 1002],
            [b"HSET", b"KEY", b"two", b"f", b"v"],
            [b"HSET", b"1", b"2", b"seq", b"9"],
            [b"HSET", b"99", b"2", b"f", b"v"],
            [b"HSET", b"KEY"],
            [b"HSET", b"KEY", b"2", b"f", b"v", b"ZADD", b"KEY", b"2", b"1", b"m"],
            [b"SET", b"KEY", b"1", b"v"],
            [b"UNLINK", b"KEY", b"1", b"f"],
            [b"HLEN", b"KEY", b"1", b"1"],
            [b"XADD", b"KEY", b"3", b"*", b"f", b"v"],
            [b"XADD", b"KEY", b"3", b"0-0", b"f", b"v"],
            [b"XADD", b"KEY", b"1", b"1-1"],
            [b"XADD", b"KEY", b"2", b"1-1", b"f"],
            [b"XADD", b"KEY", b"3", b"1-1", b"f", b"v", b"XADD", b"KEY", b"3", b"1-1", b"f", b"v"],
            [b"XTRIM", b"KEY", b"1", b"-"],
            [b"ZREMRANGEBYSCORE", b"KEY", b"1", b"-inf"],
            [b"ZREMRANGEBYSCORE", b"KEY", b"2", b"1", b"2"],
            [b"ZFILL", b"KEY", b"1", b"\xc1"],
            [b"ZFILL", b"KEY", b"2", packed([1, "m"]), packed([1, "n"])],
            *([b"ZFILL", b"KEY", b"1", packed(strange)] for strange in NO_FILLS),
            [b"HFILL", b"KEY", b"1", b"\xc1"],
            [b"HFILL", b"KEY", b"2", packed(["a", "m"]), packed(["b", "n"])],
            *([b"HFILL", b"KEY", b"1", packed(strange)] for strange in NO_TEXTS),
        ],
        ids=lambda operation: " ".join(part.decode(errors="backslashreplace") for part in operation[:8])[:80],
    )
    async def test_an_operation_that_would_fail_refuses_all_others(self, redis, keys, held, operation):
        whole = cut_checkpoint(keys, held, Writes(levels={0: b"before it"}), PROGRESS)
        number = b"%d" % (len(whole.keys) + 1)
        last = (number if part == b"KEY" else part for part in operation)
        broken = replace(whole, keys=(*whole.keys, keys.part("probe")), args=(*whole.args, *last))

        assert (await unchanged(redis, broken)).outcome == Outcome.REFUSED

    async def test_a_record_with_a_field_too_few_refuses(self, redis, keys, held):
        whole = cut_checkpoint(keys, held, Writes(), PROGRESS)

        assert (await unchanged(redis, replace(whole, args=whole.args[:-1]))).outcome == Outcome.REFUSED

    def test_keys_and_progress_name_the_same_generation(self, keys):
        with pytest.raises(ValueError, match="generation"):
            cut_checkpoint(keys.of(2), NEW, Writes(), PROGRESS)

    def test_a_pane_is_not_written_and_dropped_at_once(self, keys):
        with pytest.raises(ValueError, match="10s"):
            cut_checkpoint(keys, NEW, Writes(panes={Pane("10s", 0): {0: b"x"}}, dropped=[Pane("10s", 0)]), PROGRESS)
