"""Who is behind numbers, in a real Redis: as long as numbers are kept, and made anew with them."""

import pytest
from build import DAY, HOUR, MINUTE, NOON, RULES, SECOND, call, erased, lead, meeting, merged, reply
from kept import Kept, empty
from msgspec.structs import replace
from stored import applied, restore, snapshot

from streams.errors import Retry
from streams.processing import revaluation
from streams.processing.checkpoint import commit_until_definite
from streams.processing.revaluation import remove, revalue
from streams.valuation import valuation_of

pytestmark = pytest.mark.redis

LEADS = 10
PIECE = 17
"""Members written at once."""


@pytest.fixture
def kept(redis, keys, held):
    return Kept(redis, keys, held, RULES)


def a_week(of):
    """A lead with a bit of everything."""
    told = {"of": of}
    return [
        lead(created_at=NOON, owner="ana", owner_at=NOON, lead_source="inbound", **told),
        call(f"c-{of}", NOON + MINUTE, rep="ana", **told),
        reply(f"r-{of}", at=NOON + HOUR, **told),
        reply(f"s-{of}", at=NOON + HOUR, **told),
        meeting(f"m-{of}", booked_at=NOON + HOUR, scheduled_at=NOON + 2 * HOUR, rep="ana", outcome="held", **told),
    ]


async def test_they_are_kept_as_long_as_days_are(kept):
    await kept.until(NOON)
    await kept.tell(*a_week("crm:1"))
    await kept.until(NOON + 3 * HOUR)
    assert {each: len(members) for each, members in (await kept.stored()).items()} == {
        "responses_within_sla": 1,
        "clocks_ended": 1,
        "leads_created": 1,
        "stage_entries_subscriber": 1,
        "stage_entries_lead": 1,
        "leads_lost_in_stage_lead": 1,
        "leads_followed_up": 1,
        "leads_first_contacted": 1,
        "leads_first_reached": 1,
        "leads_replied": 1,
        "replies": 2,
        "meetings_booked": 1,
        "meetings_held": 1,
    }
    await kept.tell(reply("late", at=NOON + DAY, of="crm:1"))
    await kept.until(NOON + 800 * DAY)
    assert await kept.stored() == {"replies": {("crm:1", NOON + DAY, 0)}}
    await kept.tell(reply("too late", at=NOON, of="crm:1"))
    assert await kept.stored() == {"replies": {("crm:1", NOON + DAY, 0)}}
    await kept.until(NOON + 801 * DAY)
    assert await kept.stored() == {}


async def test_of_whom_is_erased_or_counts_for_another_nobody_is_there(kept):
    await kept.tell(*a_week("crm:1"), *a_week("crm:2"))
    await kept.until(NOON + 3 * HOUR)
    await kept.tell(erased(of="crm:1"), merged("crm:3", of="crm:2"))
    assert await kept.stored() == {}
    assert await kept.redis.keys("*:members:*") == []


@pytest.fixture
def broken_off(monkeypatch):
    """Have a re-valuation break off before one of its writes (None: before none); tells how many there were."""
    monkeypatch.setattr(revaluation, "PIECE", PIECE)
    writes = []

    def at(number):
        async def commit(redis, checkpoint):
            writes.append(checkpoint)
            if len(writes) == number:
                raise Retry("redis", "is away")
            return await commit_until_definite(redis, checkpoint)

        writes.clear()
        monkeypatch.setattr(revaluation, "commit_until_definite", commit)
        return writes

    return at


async def test_they_are_made_anew_with_the_totals_piece_by_piece_and_wherever_that_is_broken_off(kept, broken_off):
    for number in range(LEADS):
        await kept.tell(*a_week(f"crm:{number}"))
    await kept.until(NOON + 8 * DAY)
    strict = replace(RULES, version=RULES.version + 1, sla=tuple(replace(each, target_ms=30 * SECOND) for each in RULES.sla))
    expected = await kept.expected(strict)
    assert len(expected["sla_breaches"]) == LEADS
    assert await kept.stored() == await kept.expected(RULES) != expected
    before = await snapshot(kept.redis)

    async def finished(held):
        """What the next owner does about what is stored."""
        if held.progress.generation == 1:
            return await revalue(kept.redis, kept.keys, held, empty(kept.keys, strict), valuation_of(strict))
        return await remove(kept.redis, kept.keys, held)

    writes = broken_off(None)
    await finished(kept.held)
    assert sum(any(":members:" in key for key in each.keys) for each in writes) > LEADS * 11 // PIECE
    for number in range(1, len(writes) + 1, 3):
        await restore(kept.redis, before)
        broken_off(number)
        with pytest.raises(Retry):
            await finished(kept.held)
        broken_off(None)
        held = await applied(kept.redis, kept.keys)
        if held.progress.generation == 1:
            assert await kept.stored() == await kept.expected(RULES)
        await finished(held)
        assert await kept.stored(2) == expected
        assert await kept.redis.keys(f"{kept.keys.part('')}*") == []
