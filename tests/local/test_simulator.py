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

from models.belief import believe
from models.data.leads import DealData
from models.events import EVENT_TYPES, decode
from models.units import DAY, HOUR, MINUTE, Millis, millis, moment
from streams.local.deliveries import secret_of
from streams.local.floor import REPS, ZONES, demo_rules_toml, morning_zone
from streams.local.simulator import Floor, recorded_at, write
from streams.local.truth import truth
from streams.local.truth_facts import OF_LEADS, rules_of

CURRENCIES = {"EUR", "USD"}
"""Those of the simulated deals."""

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
        believe(decode(json.dumps(event).encode()), Millis(received_at), CURRENCIES)


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
        if name != "lines":
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


def test_all_that_can_happen_to_deals_happens(history, live):
    events = [*history, *(event for _, event in live)]
    told = [event["data"] for event in events if event["type"] == "deal.upserted"]
    texts = {"lines": json.dumps}
    seen = {
        name: {texts.get(name, _itself)(data[name]) for data in told if name in data} for name in DealData.__struct_fields__
    }
    assert all(seen.values())
    assert seen["kind"] == {"new_business", "upsell", "cross_sell", "renewal"}
    assert (seen["outcome"], seen["currency"]) == ({"won", "lost", None}, {"EUR", "USD"})
    assert seen["stage"] > set(_listed_stages())
    created = [data for data in told if "created_at" in data]
    assert {"product" in line for data in told for line in data.get("lines", [])} == {True, False}
    assert {"amount" in data for data in created} == {"rep" in data for data in created} == {True, False}
    assert any(set(data) == {"amount"} for data in told), "a price that is haggled over"
    thing = {(event["type"], event["object"]["kind"]) for event in events if event.get("object")}
    assert {("deleted", "deal"), ("restored", "deal")} <= thing
    outcomes: dict[str, list[str | None]] = {}
    for event in events:
        if "outcome" in event.get("data", {}) and event["type"] == "deal.upserted":
            outcomes.setdefault(event["object"]["id"], []).append(event["data"]["outcome"])
    changes = {change for each in outcomes.values() for change in pairwise(each)}
    assert {("lost", None), (None, "lost")} <= changes, "one that is opened again, and lost"
    assert {("won", "lost"), ("lost", "won")} & changes, "one that was marked wrong"


def _itself(value):
    return value


def test_all_that_can_happen_to_accounts_reps_and_campaigns_happens(history, live):
    events = [*history, *(event for _, event in live)]
    seen = {}
    for event in events:
        for name, value in event.get("data", {}).items():
            if name != "lines":
                seen.setdefault((event["subject"]["kind"], event["type"].split(".")[0], name), set()).add(value)
    assert {0, None} < seen["account", "subscription", "mrr"]
    assert seen["account", "subscription", "currency"] == {"EUR", "USD"}
    assert seen["account", "survey", "kind"] == {"nps", "csat"}
    assert {10, 1, 5} < seen["account", "survey", "score"]
    assert seen["campaign", "cost", "category"] == {"marketing", "sales", "sdr"}
    assert seen["campaign", "campaign", "channel"] == {"call", "email", "message"}
    rules = tomllib.loads(demo_rules_toml(NOW, ZONE))
    assert seen["campaign", "quote", "product"] > set(rules["products"])
    assert seen["campaign", "quote", "competitor"] > set(rules["competitors"])
    assert seen["lead", "nurture", "track"] > set(rules["nurture_tracks"])
    assert seen["lead", "deal", "loss_reason"] > set(rules["loss_reasons"])
    assert seen["rep", "rep", "employed_until"]
    fate = {(event["subject"]["kind"], event["type"]) for event in events if "object" not in event}
    assert {("account", what) for what in ("deleted", "restored", "erased", "merged")} <= fate
    assert ("rep", "merged") in fate
    objects = {(event["subject"]["kind"], event["type"]) for event in events if "object" in event}
    assert {(kind, what) for kind in ("account", "campaign", "rep") for what in ("deleted", "restored")} <= objects


def test_what_is_new_is_a_moderate_share_of_all(history, live):
    for events in (history, [event for _, event in live]):
        others = sum(event["subject"]["kind"] != "lead" or event["type"][:4] in {"prop", "nurt"} for event in events)
        assert 0.05 < others / len(events) < 0.2


def test_accounts_reps_and_campaigns_have_numbers(gauges):
    for name in ("mrr_eur", "customers", "subscriptions_live", "reps_employed", "competitor_quotes", "competitor_prices_eur"):
        assert gauges[f"leadbeat_{name}", frozenset()] > 0, name
    assert gauges["leadbeat_reps_employed", frozenset()] == sum(rep.team(0) is not None for rep in REPS)
    for name in ("new_mrr_eur", "expansion_mrr_eur", "contraction_mrr_eur", "churned_mrr_eur", "reactivation_mrr_eur"):
        assert whole(gauges, name)["year"] > 0, name
    for name in ("nps", "csat_mean", "click_through_ratio", "landing_page_conversion_ratio", "closing_ratio", "match_ratio"):
        assert "year" in whole(gauges, name), name
    assert 0.2 < whole(gauges, "selling_time_ratio")["7d"] < 0.8
    assert 0.005 < whole(gauges, "landing_page_conversion_ratio")["30d"] < 0.05
    assert whole(gauges, "customer_acquisition_cost_eur")["90d"] > 10
    for name in ("orders", "proposals_signed", "nurtures", "leads_in_conversation", "demos_deals", "converted_revenue_eur"):
        assert whole(gauges, name)["year"] > 0, name


def test_people_turn_up_more_than_once(history, live):
    said = merges(history)
    standing = {subject: into[-1] for subject, into in said.items()}
    everybody = {event["subject"]["id"] for event in history if event["subject"]["kind"] == "lead"}
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


def _listed_stages():
    return {name for name, _ in rules_of(tomllib.loads(demo_rules_toml(NOW, ZONE))).deal_stages}


def merges(events):
    """Whom each record was merged into, one time after another."""
    found = {}
    for event in events:
        if event["type"] == "merged" and event["subject"]["kind"] == "lead":
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
    assert 0.2 < whole(gauges, "win_ratio")["90d"] < 0.7
    assert 2_000 < whole(gauges, "deal_size_mean_eur")["90d"] < 20_000
    assert 0.03 < whole(gauges, "discount_ratio")["90d"] < 0.2
    assert whole(gauges, "upsell_revenue_eur")["year"] > 0
    pipeline = [gauges[f"leadbeat_{name}pipeline_value_eur", frozenset()] for name in ("", "weighted_")]
    assert pipeline[0] > pipeline[1] > 0
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
    before = truth(history, rules, NOW)
    assert whole(after, "opportunities_created")["90d"] > whole(before, "opportunities_created")["90d"] + 5
    assert whole(after, "revenue_eur")["90d"] > whole(before, "revenue_eur")["90d"]


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
        rules.sla(NOW - days * DAY, "Inbound", source, None).target_ms
        for source in ("inbound", "outbound")
        for days in (1, 200)
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
            believe(decode(json.dumps(raw).encode()), Millis(line["received_at"]), CURRENCIES)


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
