"""The simulated floor: repeatable, believable to the product's own checks, and full of what happens to leads."""

import io
import json
import tomllib
from collections import Counter
from datetime import datetime
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from standardwebhooks.webhooks import Webhook

from models.events import EVENT_TYPES, believe, decode
from models.units import DAY, HOUR, MINUTE, Millis, millis, moment
from streams.local.deliveries import secret_of
from streams.local.floor import REPS, ZONES, demo_rules_toml, morning_zone
from streams.local.simulator import Floor, recorded_at, write
from streams.local.truth import truth
from streams.local.truth_facts import OF_LEADS, rules_of

NOW = millis(datetime.fromisoformat("2026-11-19T09:20:31.250Z"))
ZONE = "Europe/Berlin"
MINUTES = 20


@pytest.fixture(scope="module")
def history():
    return Floor(7, ZONE).history(NOW)


@pytest.fixture(scope="module")
def live():
    """What happens in the minutes after a history, with the instants."""
    floor = Floor(7, ZONE)
    floor.history(NOW)
    return list(takewhile(lambda item: item[0] < NOW + MINUTES * MINUTE, floor.live(NOW)))


@pytest.fixture(scope="module")
def gauges(history):
    return truth(history, tomllib.loads(demo_rules_toml(NOW, ZONE)), NOW)


def whole(gauges, name):
    """A metric of the whole by window; of quantiles the exact value."""
    found = {dict(labels)["window"]: value for (metric, labels), value in gauges.items() if metric == f"leadbeat_{name}"}
    return {window: value[0] if isinstance(value, tuple) else value for window, value in found.items()}


def test_the_same_seed_gives_the_same_floor_and_another_another(history, live):
    again = Floor(7, ZONE)
    assert again.history(NOW) == history
    assert list(takewhile(lambda item: item[0] < NOW + MINUTES * MINUTE, again.live(NOW))) == live
    assert Floor(8, ZONE).history(NOW) != history


def test_every_event_can_be_read_and_is_believed_when_it_is_delivered(history, live):
    for received_at, event in [*((recorded_at(event), event) for event in history), *live]:
        believe(decode(json.dumps(event).encode()), Millis(received_at))


def test_every_event_has_an_id_of_its_own(history, live):
    identities = [event["id"] for event in history] + [event["id"] for _, event in live]
    assert len(set(identities)) == len(identities)


def test_history_is_told_in_order_and_ends_now_and_live_goes_on_from_there(history, live):
    told = [recorded_at(event) for event in history] + [due for due, _ in live]
    assert told == sorted(told)
    assert recorded_at(history[-1]) <= NOW < live[0][0]
    assert all(recorded_at(event) == due for due, event in live)


def test_a_dense_day_and_a_long_past(history, gauges):
    day = [event for event in history if recorded_at(event) > NOW - DAY]
    assert 2_300 < len(day) < 3_700
    created = whole(gauges, "leads_created")
    assert 230 < created["24h"] < 270
    assert created["year"] - created["24h"] > 100
    assert recorded_at(history[0]) < NOW - 350 * DAY


def test_no_two_windows_agree(gauges):
    for name in ("leads_created", "touches"):
        counts = Counter(whole(gauges, name).values())
        assert max(counts.values()) == 1, counts


def test_all_that_can_happen_happens(history):
    assert {event["type"] for event in history} == EVENT_TYPES
    told = [(event["type"].split(".")[0], *item) for event in history for item in event.get("data", {}).items()]
    seen = {(kind, name): set() for kind, name, _ in told}
    for kind, name, value in told:
        seen[kind, name].add(value)
    assert seen["touch", "channel"] == {"call", "email", "message"}
    assert seen["touch", "connected"] == {True, False}
    assert (True in seen["touch", "automated"], False in seen["touch", "delivered"]) == (True, True)
    assert {None, "Partner Desk", *(rep.name for rep in REPS)} == seen["touch", "rep"]
    assert seen["reply", "kind"] == {"human", "out_of_office", "bounce", "unsubscribe"}
    assert seen["reply", "sentiment"] == {"positive", "neutral", "negative"}
    assert seen["meeting", "outcome"] == {"held", "no_show", "cancelled", None}
    assert seen["meeting", "kind"] == {"intro", "demo"}
    assert seen["lead", "lead_source"] == {"inbound", "outbound", "partner", None}
    rules = tomllib.loads(demo_rules_toml(NOW, ZONE))
    for dim, listed in OF_LEADS.items():
        assert seen["lead", dim] >= set(rules[listed]), dim
        assert dim == "segment" or seen["lead", dim] - set(rules[listed]), dim
    assert {"lead", "mql", "sal", "sql", "opportunity", "customer", "disqualified"} == seen["lead", "stage"]
    assert None in seen["lead", "owner"]
    thing = {(event["type"], event.get("object", {}).get("kind")) for event in history}
    assert {("deleted", None), ("restored", None), ("deleted", "touch"), ("restored", "touch")} <= thing
    booked = [event["data"] for event in history if "booked_at" in event.get("data", {})]
    assert {"rep" in data for data in booked} == {True, False}
    assert any(set(event.get("data", {})) == {"scheduled_at"} for event in history)
    assert any(event.get("sequence") for event in history)


def test_people_turn_up_more_than_once(history, live):
    said = merges(history)
    standing = {subject: into[-1] for subject, into in said.items()}
    everybody = {event["subject"]["id"] for event in history}
    assert {into for each in said.values() for into in each if into} <= everybody
    assert any(subject.startswith("email:") for subject in said)
    assert any(standing.get(into) not in {None, subject} for subject, into in standing.items()), "a chain"
    assert any(standing.get(into) == subject for subject, into in standing.items()), "a circle"
    assert any(into is None for into in standing.values()), "a merge that is undone"
    assert any(into[-1] and None in into for into in said.values()), "one that is undone, and made again"
    assert {("deleted", True), ("erased", True)} <= {(event["type"], event["subject"]["id"] in standing) for event in history}
    assert 0.03 < len(standing) / len(everybody) < 0.15
    assert len(merges([event for _, event in live])) > 20


def test_what_is_told_of_a_record_goes_on_after_it_was_merged(history):
    merged: set[str] = set()
    told = set()
    for event in history:
        if event["type"] == "merged":
            merged.add(event["subject"]["id"])
        elif event["subject"]["id"] in merged:
            told.add(event["type"])
    assert {"touch.upserted", "reply.upserted"} <= told


def merges(events):
    """Whom each record was merged into, one time after another."""
    found = {}
    for event in events:
        if event["type"] == "merged":
            into = event["into"]
            found.setdefault(event["subject"]["id"], []).append(into and into["id"])
    return found


def test_the_numbers_are_a_sales_floor_s(gauges):
    assert 0.3 < whole(gauges, "response_within_sla_ratio")["24h"] < 0.9
    assert 60 < whole(gauges, "lead_response_time_p50_seconds")["24h"] < 1200
    assert 0.3 < whole(gauges, "call_connect_ratio")["24h"] < 0.6
    assert 0.5 < whole(gauges, "meeting_show_ratio")["24h"] < 0.95
    assert 0.02 < whole(gauges, "positive_reply_ratio")["24h"] < 0.35
    assert all(whole(gauges, name)["24h"] > 0 for name in ("meetings_unmarked", "demos_held", "bounces", "opt_outs"))
    assert gauges["leadbeat_leads_overdue", frozenset()] > 0
    assert {name for name, _ in gauges if "_ratio" in name}


def test_live_something_happens_every_second_or_two(live):
    assert 1.7 < len(live) / (MINUTES * 60) < 5
    gaps = sorted(later - sooner for (sooner, _), (later, _) in pairwise(live))
    assert gaps[len(gaps) // 2] < 600
    assert gaps[-1] < 8_000


def test_live_leads_are_answered_warned_about_and_forgotten(history, live):
    rules = tomllib.loads(demo_rules_toml(NOW, ZONE))
    after = truth([*history, *(event for _, event in live)], rules, Millis(NOW + MINUTES * MINUTE))
    assert whole(after, "leads_created")["15m"] > 60
    assert whole(after, "sla_breaches")["15m"] > 2
    assert 0.6 < whole(after, "response_within_sla_ratio")["15m"] < 0.98
    assert whole(after, "meetings_booked")["15m"] > 5


def test_a_floor_without_a_past_can_live():
    due, event = next(Floor(1, "UTC").live(NOW))
    assert due >= NOW
    assert event["type"] == "lead.upserted"


@pytest.mark.parametrize("hour", range(24))
def test_it_is_mid_morning_somewhere(hour):
    now = Millis(NOW + hour * HOUR)
    zone = morning_zone(now)
    assert zone in ZONES
    assert 9 * 60 + 20 <= _minute_of_day(now, zone) <= 11 * 60 + 10


def _minute_of_day(now, zone):
    local = moment(now).astimezone(ZoneInfo(zone))
    return local.hour * 60 + local.minute


def test_the_rules_tell_the_roster_of_the_floor():
    rules = rules_of(tomllib.loads(demo_rules_toml(NOW, ZONE)))
    days_ago = (0, 1, 20, 200)
    teams = {rep.name: [rules.team(rep.name, NOW - days * DAY) for days in days_ago] for rep in REPS}
    assert teams["Amara Okafor"] == ["Inbound"] * 4
    assert teams["Chloé Martin"] == ["Enterprise", "Inbound", "Inbound", "Inbound"]
    assert teams["Farid Rahimi"] == ["Outbound", "Outbound", "Outbound", "Inbound"]
    assert teams["Iris Novák"] == ["other", "other", "Inbound", "Inbound"]
    assert {name: len(values) for name, values in rules.configured(NOW).items()} == {
        "rep": 8,
        "team": 3,
        "lead_source": 2,
        "origin": 8,
        "sales_region": 4,
        "segment": 3,
        "campaign": 2,
        "channel": 4,
    }
    targets = [
        rules.sla_ms(NOW - days * DAY, "Inbound", source, None) for source in ("inbound", "outbound") for days in (1, 200)
    ]
    assert targets == [5 * MINUTE, 10 * MINUTE, HOUR, HOUR]


# --- recorded deliveries ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recording():
    out = io.BytesIO()
    events = write(out, 7, NOW, ZONE, "acme")
    return [json.loads(line) for line in out.getvalue().splitlines()], events


def told_in(line):
    """The events of a recorded delivery."""
    body = json.loads(line["body"])
    return body if isinstance(body, list) else [body]


def test_a_recording_is_in_the_order_of_receipt_and_signed(recording):
    lines, events = recording
    receipts = [line["received_at"] for line in lines]
    assert receipts == sorted(receipts)
    assert receipts[-1] <= NOW
    assert {line["connection"] for line in lines} == {"acme"}
    assert [event for line in lines for event in told_in(line)] == events
    webhook = Webhook(secret_of(7))
    for line in lines:
        headers = line["headers"]
        sent_at = moment(Millis(int(headers["webhook-timestamp"]) * 1000))
        assert headers["webhook-signature"] == webhook.sign(headers["webhook-id"], sent_at, line["body"])
        assert headers["webhook-timestamp"] == str(line["received_at"] // 1000)
    assert len({line["headers"]["webhook-id"] for line in lines}) == len(lines)


def test_every_recorded_event_is_believed_at_its_receipt(recording):
    for line in recording[0]:
        for raw in told_in(line):
            believe(decode(json.dumps(raw).encode()), Millis(line["received_at"]))


def test_deliveries_are_repeated_late_and_out_of_order(recording, history):
    lines, events = recording
    assert {event["id"] for event in events} <= {event["id"] for event in history}
    assert len({event["id"] for event in events}) > 0.98 * len(history)
    assert len(events) > 1.03 * len(history)
    delays = [line["received_at"] - max(recorded_at(event) for event in told_in(line)) for line in lines]
    assert sum(delay > MINUTE for delay in delays) > 50
    assert min(delays) > 0
    versions = [recorded_at(event) for event in events]
    assert sum(later < sooner for sooner, later in pairwise(versions)) > 100


def test_what_is_recorded_says_what_the_history_says(recording, history, gauges):
    known = {event["id"] for event in recording[1]}
    rules = tomllib.loads(demo_rules_toml(NOW, ZONE))
    assert truth(recording[1], rules, NOW) == truth([event for event in history if event["id"] in known], rules, NOW)
    assert len(gauges) > 2_500
