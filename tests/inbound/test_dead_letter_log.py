"""What the log says of dead letters: soon, seldom, and nothing of what they hold."""

import asyncio
import json

import pytest
from services import until
from structlog.testing import capture_logs

from models.units import Millis
from streams.dead_letters import DeadLetter
from streams.inbound import dead_letter_log
from streams.inbound.dead_letter_log import DeadLetterLog
from streams.inbound.normalise import Delivery, normalise
from streams.inbound.providers import standard

CANARY = "jane.doe@example.org"
NUMBER = 4917012345678
NOW = "2026-03-02T12:00:00Z"
RECEIVED = Millis(1_772_452_800_000)


class Clock:
    """Stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def letters(clock):
    return DeadLetterLog("leadbeat.dead.v1", clock)


@pytest.fixture
def lines():
    with capture_logs() as lines:
        yield lines


def letter(reason="is missing", where="$.id"):
    return DeadLetter("crm.deliveries.v1", 0, 17, reason=reason, where=where)


def test_the_first_is_told_at_once(letters, lines):
    letters.add("acme", [letter("JSON is malformed", "$"), letter()])
    assert lines == [
        {
            "event": "dead_letters",
            "log_level": "warning",
            "connection": "acme",
            "count": 2,
            "reason": "is missing",
            "where": "$.id",
            "topic": "leadbeat.dead.v1",
            "todo": "leadbeat dead list",
        }
    ]


def test_more_are_told_once_a_minute_with_their_number_and_the_last_reason(letters, lines, clock):
    for second in range(150):
        clock.now = 1000.0 + second
        letters.add("acme", [letter(where=f"$.{second}")])
    assert [(line["count"], line["where"]) for line in lines] == [(1, "$.0"), (60, "$.60"), (60, "$.120")]
    clock.now = 1180.0
    letters.tell()
    letters.tell()
    assert [line["count"] for line in lines[3:]] == [29]


def test_each_connection_is_told_of_by_itself(letters, lines, clock):
    for connection in ("acme", "other", "", "acme"):
        letters.add(connection, [letter()])
    clock.now += 60
    letters.tell()
    assert [(line["connection"], line["count"]) for line in lines] == [("acme", 1), ("other", 1), ("", 1), ("acme", 1)]


def test_after_a_quiet_time_the_next_is_told_at_once(letters, lines, clock):
    letters.add("acme", [letter()])
    clock.now += 1000
    letters.tell()
    letters.add("acme", [letter()])
    assert [line["count"] for line in lines] == [1, 1]


async def test_what_waits_is_told_with_nothing_new_to_tell(letters, lines, clock, monkeypatch):
    monkeypatch.setattr(dead_letter_log, "LOOK_S", 0.01)
    letters.add("acme", [letter()])
    letters.add("acme", [letter()])
    running = asyncio.create_task(letters.run())
    clock.now += 60
    await until(lambda: len(lines) == 2, 10, "the second line")
    running.cancel()


EVENT = {
    "id": "1",
    "type": "touch.upserted",
    "timestamp": NOW,
    "subject": {"kind": "lead", "id": "1"},
    "object": {"kind": "touch", "id": "1"},
    "data": {"at": NOW, "channel": "call", "rep": "ada", "automated": False},
    "schema_version": 1,
    "sequence": 0,
}


def spoilt():
    """An event with somebody's address, or number, in every place that does not take it."""
    for value in (CANARY, f"'{CANARY}' value '{CANARY}", NUMBER, [CANARY], {CANARY: CANARY}):
        for name, held in EVENT.items():
            yield EVENT | {name: value, CANARY: CANARY}
            for inner in held if isinstance(held, dict) else ():
                yield EVENT | {name: held | {inner: value}}
    yield CANARY
    yield [[CANARY]]


def test_nothing_of_a_body_is_told(letters, lines, clock):
    dead = []
    for event in spoilt():
        body = json.dumps([event]).encode()
        dead += normalise(Delivery("acme", RECEIVED, {}, body, "crm.deliveries.v1", 0, 0), standard, {"EUR"}).dead
    assert any(CANARY in each.reason for each in dead)
    for each in dead:
        letters.add("acme", [each])
        clock.now += 60
    assert len(lines) == len(dead) > 50
    for secret in (CANARY, NUMBER):
        assert str(secret) not in str(lines)


def test_a_value_that_is_refused_is_left_out_of_its_reason(letters, lines):
    letters.add("acme", [letter("Invalid enum value 'fax\nO'Brien'", "$.data.channel")])
    assert lines[0]["reason"] == "Invalid enum value …"
