"""Messages about leads that wait too long."""

import json

from build import MINUTE, NOON

from models.meaning import Threshold
from models.news import News, threshold_name
from models.state.told import Told
from streams.processing.alerts import alert

AT = NOON + 5 * MINUTE
BREACHED = Threshold(AT, 100, NOON, AT, "ana", "north", NOON + 6 * MINUTE, late=False)


def message(told, threshold=BREACHED, subject="crm:ada"):
    sent = alert("alerts", subject, News(AT, 100, threshold_name(BREACHED), told, threshold))
    assert (sent.topic, sent.key) == ("alerts", subject.encode())
    return sent.id, json.loads(sent.value)


def test_a_breach_tells_of_whom_and_when():
    name, told = message(Told("breach", 1))
    assert told.pop("id") + "-1" == name
    assert told == {
        "number": 1,
        "type": "breach",
        "percent": 100,
        "lead": "crm:ada",
        "inquiry_at": "2026-03-02T12:00:00.000Z",
        "at": "2026-03-02T12:05:00.000Z",
        "due_at": "2026-03-02T12:05:00.000Z",
        "rep": "ana",
        "team": "north",
    }


def test_its_end_has_the_same_id_another_number_and_the_answer():
    (first, breach), (second, end) = message(Told("breach", 1)), message(Told("resolved", 2))
    assert end == breach | {"type": "resolved", "number": 2, "answered_at": "2026-03-02T12:06:00.000Z"}
    assert first != second


def test_what_never_came_to_pass_tells_no_more_than_which_it_was():
    _, told = message(Told("retracted", 3), None)
    assert set(told) == {"id", "number", "type", "percent", "lead", "inquiry_at", "at"}
    assert told["id"] == message(Told("breach", 1))[1]["id"] != message(Told("breach", 1), subject="crm:bob")[1]["id"]
