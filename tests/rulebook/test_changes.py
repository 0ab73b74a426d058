"""What changes from some rules to others, entry by entry."""

import tomllib

import pytest
from crowd import RULES
from msgspec.structs import replace

from models.rules import Rules
from streams.config import Settings
from streams.rulebook.changes import changes


def rules(text):
    return Settings.model_validate(tomllib.loads(text)).rules()


def told(old, new):
    return list(map(str, changes(rules(old), rules(new))))


def test_rules_do_not_differ_from_themselves_under_another_version_and_in_another_order():
    assert told(RULES, f"rules_version = 7\n{RULES}") == []


def test_every_kind_of_entry_is_told():
    new = """
    lead_sources = ["inbound", "partner"]
    segments = ["small", "large"]
    pairs = [["team", "segment"]]
    organisation.zone = "Europe/Berlin"
    sla = [
        { target = "10m" },
        { target = "2h", lead_source = "outbound", from = 2026-03-01 },
        { target = "5m", team = "north" },
    ]
    roster = [
        { rep = "ana", team = "south" },
        { rep = "ana", from = 2026-03-01T12:00:00 },
        { rep = "ben", team = "north" },
        { rep = "cleo", team = "south" },
    ]
    meetings = { grace = "2h", unmarked = "held" }
    money.currency = "CHF"
    money.rates = [{ currency = "USD", rate = "0.8" }, { currency = "JPY", rate = "0.005", from = 2026-03-01 }]
    deal_stages = [{ name = "qualified", probability = 30 }]
    targets = [{ kpi = "revenue", value = "90", window = "month" }]
    leaderboards = [{ kpi = "calls", best = "lowest" }, { kpi = "touches" }]
    money.gross_margin_percent = 80
    quotas = [{ rep = "ana", amount = 7, per = "month", ramp = [0, 50] }, { team = "south", amount = 8, per = "year" }]
    plans = [{ rep = "ana", commission_percent = 7.5 }, { rep = "ben", commission_percent = "5", ote = 9, from = 2026-03-01 }]
    """
    old = f"""
    money.rates = [{{ currency = "USD", rate = "0.9" }}, {{ currency = "GBP", rate = "1.2" }}]
    deal_stages = [{{ name = "qualified", probability = 20 }}]
    quotas = [{{ rep = "ana", amount = 6, per = "month" }}]
    plans = [{{ rep = "ana", commission_percent = "7.25" }}, {{ rep = "dora", commission_percent = 0 }}]
    leaderboards = [{{ kpi = "calls" }}, {{ kpi = "emails", best = "highest" }}]
    targets = [
        {{ kpi = "revenue", value = "80", window = "month" }},
        {{ kpi = "revenue", value = "9", window = "year", from = 2026-03-01 }}
    ]
    {RULES}"""
    assert told(old, new) == [
        "~ roster: ana in north → in south",
        "+ roster: ana from 2026-03-01T12:00:00+01:00 has left",
        "- roster: dora from 2020-01-01 in south",
        "+ sla: lead_source outbound from 2026-03-01 2h00m",
        "~ sla: team north 4m00s → 5m00s",
        "- sla: lead_source outbound 1h00m",
        "+ lead_sources: partner",
        "- lead_sources: outbound, which counts as other",
        "+ segments: small",
        "+ segments: large",
        "+ pairs: team × segment",
        "~ meetings.grace: 1h00m → 2h00m",
        "~ meetings.unmarked: unmarked → held",
        "~ money.currency: EUR → CHF",
        "~ money.rates: USD 0.9 → 0.8",
        "+ money.rates: JPY from 2026-03-01 0.005",
        "- money.rates: GBP 1.2",
        "+ deal_stages: qualified at 30 %",
        "- deal_stages: qualified at 20 %",
        "~ money.gross_margin_percent: not told → 80 %",
        "~ targets: revenue (month) 80 → 90",
        "- targets: revenue (year) from 2026-03-01 9",
        "~ leaderboards: calls as usual → lowest",
        "+ leaderboards: touches as usual",
        "- leaderboards: emails highest",
        "~ quotas: ana 6 a month → 7 a month, at first 0 %, 50 %",
        "+ quotas: team south 8 a year",
        "~ plans: ana 7.25 % → 7.5 %",
        "+ plans: ben from 2026-03-01 5 %, 9 a year on target",
        "- plans: dora 0 %",
    ]


def test_another_zone_moves_what_is_given_by_days():
    assert told(RULES, RULES.replace("Europe/Berlin", "UTC")) == [
        "~ zone: Europe/Berlin → UTC",
        "+ roster: dora from 2020-01-01 in south",
        "- roster: dora from 2019-12-31T23:00:00+00:00 in south",
    ]


def test_calendars_are_told_by_what_is_otherwise_in_them():
    people = 'roster = [{ rep = "ana", team = "north" }]\n'
    old = f"""{people}
    calendars = [
        {{ name = "office", hours = {{ mon = ["09:00-18:00"], tue = ["22:00-06:00"] }}, closed = [2026-12-24, 2026-12-27] }},
        {{ name = "gone", hours = {{}} }},
    ]
    team_calendars = [{{ team = "north", calendar = "gone" }}]
    sla = [{{ target = "30bm" }}]
    """
    new = f"""{people}
    team_calendars = [{{ team = "north", calendar = "office" }}]
    rep_calendars = [{{ rep = "ana", calendar = "come", from = 2026-03-01 }}, {{ rep = "ana", from = 2026-04-01 }}]
    absences = [{{ rep = "ana", from = 2026-05-01, until = 2026-05-02T12:00:00 }}]
    sla = [{{ target = "1bd" }}]
    [[calendars]]
    name = "office"
    zone = "Europe/Berlin"
    hours = {{ mon = ["09:00-12:30", "13:30-24:00"], tue = ["22:00-06:00"] }}
    closed = [2026-12-24, 2026-12-28, 2026-12-29, 2026-12-30, 2026-12-31]
    days = [{{ date = 2026-12-24, hours = ["09:00-12:00"] }}]
    [[calendars]]
    name = "come"
    hours = {{}}
    """
    assert told(old, new) == [
        "~ sla: all leads 30m00s of business time → 1 business day",
        "~ calendars.office.zone: UTC → Europe/Berlin",
        "+ calendars.office.hours: Mon 09:00-12:30",
        "+ calendars.office.hours: Mon 13:30-24:00",
        "- calendars.office.hours: Mon 09:00-18:00",
        "~ calendars.office.days: 2026-12-24 closed → 09:00-12:00",
        "+ calendars.office.days: 2026-12-28 closed",
        "+ calendars.office.days: 2026-12-29 closed",
        "+ calendars.office.days: 2026-12-30 closed",
        "+ calendars.office.days: and 1 more",
        "- calendars.office.days: 2026-12-27 closed",
        "+ calendars: come",
        "- calendars: gone",
        "~ team_calendars: north gone → office",
        "+ rep_calendars: ana from 2026-03-01 come",
        "+ rep_calendars: ana from 2026-04-01 none",
        "+ absences: ana from 2026-05-01 until 2026-05-02T12:00:00+02:00",
    ]


# All that rules can say, and nothing of it as it is if nothing is said.
WHOLE = rules(
    """
    rules_version = 2
    organisation.zone = "Europe/Berlin"
    lead_sources = ["partner"]
    origins = ["fair"]
    sales_regions = ["emea"]
    segments = ["small", "large"]
    campaigns = ["spring"]
    products = ["seat"]
    competitors = ["acme"]
    loss_reasons = ["price"]
    nurture_tracks = ["slow"]
    referral_origins = ["fair"]
    pairs = [["team", "segment"]]
    customers.after_purchase_days = 30
    meetings = { grace = "2h", unmarked = "held" }
    money.currency = "CHF"
    money.gross_margin_percent = 80
    deal_stages = [{ name = "qualified", probability = 30 }]
    targets = [{ kpi = "revenue", value = "90", window = "month" }]
    leaderboards = [{ kpi = "calls", best = "lowest" }]
    quotas = [{ rep = "ana", amount = 7, per = "month" }]
    plans = [{ rep = "ana", commission_percent = 7.5 }]
    roster = [{ rep = "ana", team = "north" }]
    sla = [{ target = "10m" }]
    calendars = [{ name = "shop", hours = { mon = ["09:00-17:00"] } }]
    team_calendars = [{ team = "north", calendar = "shop" }]
    rep_calendars = [{ rep = "ana", calendar = "shop" }]
    absences = [{ rep = "ana", from = 2026-03-02, until = 2026-03-03 }]
    """
)


@pytest.mark.parametrize("field", [field for field in Rules.__struct_fields__ if field != "version"])
def test_nothing_of_the_rules_differs_without_being_told(field):
    kept = {"calendars": WHOLE.calendars} | {field: getattr(Rules(), field)}
    old = replace(Rules(), **kept)
    new = replace(old, **{field: getattr(WHOLE, field)})
    assert getattr(old, field) != getattr(new, field)
    assert list(changes(old, new)) != []
    assert list(changes(new, old)) != []
