"""Questions for the leads behind numbers that come faster than they can be answered."""

import asyncio
import threading
from collections import Counter

import pytest
from build import RULES
from leads_asked import SOME, ask, floor_of

from streams.serving import behind as reading


@pytest.fixture
def held(monkeypatch):
    """What partitions say is read when this is set; until then questions wait."""
    held, read = asyncio.Event(), reading.read_applied

    async def later(redis, keys):
        await held.wait()
        return await read(redis, keys)

    monkeypatch.setattr(reading, "read_applied", later)
    return held


async def test_no_more_questions_wait_than_can_be_answered_soon(client, redis, monkeypatch, held):
    monkeypatch.setattr(reading, "MOST_WAITING", 2)
    await floor_of(redis, RULES, SOME)
    address = "/api/v1/kpis/leads_created/leads?window=24h"
    questions = [asyncio.create_task(client.get(address)) for _ in range(4)]
    (refused,), _ = await asyncio.wait(questions, return_when=asyncio.FIRST_COMPLETED)
    assert "3 questions are being answered already" in refused.result().json()["what"]
    held.set()
    answers = [await question for question in questions]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 503]
    assert (await client.get(address)).status_code == 200


async def test_a_question_is_not_worked_on_for_ever(client, redis, monkeypatch, held):
    monkeypatch.setattr(reading, "PATIENCE_S", 0.05)
    await floor_of(redis, RULES, SOME)
    assert "no answer within" in (await ask(client, "leads_created", 503))["what"]
    monkeypatch.undo()
    assert len((await ask(client, "leads_created"))["leads"]) == 3


async def test_what_nobody_waits_for_any_more_is_not_worked_on_beside_others(client, redis, monkeypatch):
    enough, began, running = threading.Event(), threading.Event(), Counter()

    def slowly(*given):
        running["now"] += 1
        running["most"] = max(running["most"], running["now"])
        began.set()
        assert enough.wait(20)
        running["now"] -= 1
        return standing(*given)

    standing = reading.standing
    monkeypatch.setattr(reading, "standing", slowly)
    await floor_of(redis, RULES, SOME)
    with monkeypatch.context() as patched:
        patched.setattr(reading, "PATIENCE_S", 0.2)
        for _ in range(3):
            await ask(client, "leads_created", 503)
    assert began.is_set()
    enough.set()
    assert len((await ask(client, "leads_created"))["leads"]) == 3
    assert running["most"] == 1
