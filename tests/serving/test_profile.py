"""What the default profile shows, what it calls it, and what it leaves out."""

import unicodedata
from collections import Counter

import pytest
from build import DAY, MINUTE, NOON, call, lead, member
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from published import at_noon, round_of

from models.catalogue import FIGURES
from models.kpis import Formula
from models.rules import Rules
from streams.serving.profile import MOST_GONE, ORDER, Profile, Shown, legible, metric_name
from streams.serving.table import Row, Snapshot

BOARD = ("1h", "24h", "7d", "today", "month")
TINY = Rules(roster=(member("ana", "north"), member("ben", "north")), origins=("fair",), campaigns=("launch",))
"""Two reps, one team, two lead sources, an origin, a campaign, no segments; channels are always four."""

PEOPLE = {
    "lead_response_time_samples",
    "lead_response_time_mean_seconds",
    "lead_response_time_p50_seconds",
    "lead_response_time_p90_seconds",
    "lead_response_time_business_samples",
    "lead_response_time_business_mean_seconds",
    "lead_response_time_business_p50_seconds",
    "lead_response_time_business_p90_seconds",
    "lead_contact_time_samples",
    "lead_contact_time_mean_seconds",
    "lead_contact_time_p50_seconds",
    "lead_contact_time_p90_seconds",
    *("response_within_sla_ratio", "responses_within_sla", "clocks_ended"),
    *("sla_breaches", "leads_awaiting_response", "leads_overdue"),
    *("oldest_lead_waiting_timestamp_seconds", "oldest_lead_waiting_due_timestamp_seconds"),
    *("leads_followed_up_ratio", "leads_followed_up", "leads_created"),
    *("touches", "calls", "emails", "call_connect_ratio", "calls_connected"),
    *("meetings_booked", "meeting_show_ratio", "meetings_held", "meeting_no_shows"),
    *("reply_ratio", "leads_replied", "leads_first_reached"),
    *("positive_reply_ratio", "leads_replied_positive", "leads_first_contacted"),
    *("meeting_acceptance_ratio", "replies"),
    *("win_ratio", "deals_won", "deals_lost", "revenue_eur", "quota_attainment_ratio"),
}
PUBLISHED = {each.numerator[0]: each for each in FIGURES if each.formula in {Formula.COUNT, Formula.LEVEL}}
CHANNELS = {
    "lead_response_time_samples",
    "lead_response_time_mean_seconds",
    "lead_response_time_p50_seconds",
    "lead_response_time_p90_seconds",
    *("reply_ratio", "leads_replied", "leads_first_reached"),
    *("positive_reply_ratio", "leads_replied_positive", "leads_first_contacted"),
    *("client_acquisition_ratio", "leads_acquired"),
}
SOURCES = CHANNELS | {
    *("response_within_sla_ratio", "responses_within_sla", "clocks_ended"),
    *("meetings_booked", "meeting_show_ratio", "meetings_held", "meeting_no_shows"),
    *("leads_created", "stage_entries"),
    *("opportunities_created", "win_ratio", "deals_won", "deals_lost", "revenue_eur"),
    *("lead_to_opportunity_ratio", "lead_to_opportunity", "lead_to_customer_ratio", "lead_to_customer"),
    *("cost_per_lead_eur", "marketing_spend_eur"),
}
WITHOUT_QUANTILES = SOURCES - {"lead_response_time_p50_seconds", "lead_response_time_p90_seconds"}


def profile(max_series: int = 50_000, *also_by: str) -> Profile:
    return Profile(BOARD, max_series, also_by)


def found(shown: Shown) -> dict[tuple[str, str, str], float]:
    """Values by metric, window and slice value."""
    return {
        (
            each.name.metric,
            each.name.labels.get("window", ""),
            "".join(each.name.labels.get(dim, "") for dim in ORDER if dim),
        ): each.value
        for each in shown.series
    }


@pytest.mark.parametrize(
    ("dim", "names"),
    [
        *(("rep", PEOPLE | {"rank"}), ("team", PEOPLE), ("lead_source", SOURCES), ("origin", SOURCES), ("segment", SOURCES)),
        *(("channel", CHANNELS), ("campaign", set()), ("sales_region", set())),
    ],
)
def test_each_dimension_shows_just_what_the_profile_promises(dim, names):
    shown = {metric for metric in profile().helps if metric.endswith(f"_by_{dim}")}
    assert shown == {f"leadbeat_{name}_by_{dim}" for name in names}


def test_further_dimensions_are_shown_where_they_are_asked_for():
    asked = profile(50_000, "campaign")
    assert {metric for metric in asked.helps if metric.endswith("_by_campaign")} == {
        f"leadbeat_{name}_by_campaign" for name in WITHOUT_QUANTILES
    }
    launch = [each for each in asked.show(at_noon(rules=TINY)).series if each.name.labels.get("campaign") == "launch"]
    assert len(launch) == (1 + 2 + 1 + 2 + 2 + 2 + 1) * 5 + (2 + 1 + 1 + 1 + 2 + 1 + 1) * 4


def test_a_pair_shows_what_one_of_its_dimensions_shows_and_both_have():
    quantiles = {name for name in PEOPLE | SOURCES if "_p50_" in name or "_p90_" in name}
    of_people = {"quota_attainment_ratio", "cost_per_lead_eur", "marketing_spend_eur"}
    shown = {
        pair: {metric for metric in profile(50_000, pair).helps if metric.endswith(f"_by_{pair.replace(',', '_and_')}")}
        for pair in ("team,lead_source", "rep,channel", "sales_region,campaign", "channel,sentiment")
    }
    durations = {f"lead_{name}_time{kind}" for name, kind in (("contact", ""), ("response", "_business"))}
    both = CHANNELS - quantiles | {"touches"} | {f"{name}_{each}" for name in durations for each in ("samples", "mean_seconds")}
    assert shown == {
        "team,lead_source": {f"leadbeat_{name}_by_team_and_lead_source" for name in (PEOPLE | SOURCES) - quantiles - of_people},
        "rep,channel": {f"leadbeat_{name}_by_rep_and_channel" for name in both},
        "sales_region,campaign": {f"leadbeat_{name}_by_sales_region_and_campaign" for name in WITHOUT_QUANTILES},
        "channel,sentiment": set(),
    }


def test_a_pair_is_a_metric_with_both_labels_and_is_shown_where_there_is_something():
    rules = replace(TINY, roster=(member("Doe, Ana", "north"),), pairs=(("rep", "lead_source"),))
    events = [lead(created_at=NOON, owner="ben", lead_source="inbound"), call("c1", NOON - MINUTE, rep="Doe, Ana")]
    series = profile(50_000, "rep,lead_source").show(at_noon(*events, rules=rules)).series
    calls = [each for each in series if each.name.metric == "leadbeat_calls_by_rep_and_lead_source"]
    assert {each.name.labels["window"] for each in calls} == set(BOARD)
    assert {(each.name.labels["rep"], each.name.labels["lead_source"], each.value) for each in calls} == {
        ("Doe, Ana", "inbound", 1)
    }
    by = "_by_rep_and_lead_source"
    text = profile(50_000, "rep,lead_source").helps[f"leadbeat_call_connect_ratio{by}"]
    assert text == f"leadbeat_calls_connected{by} ÷ leadbeat_calls{by}. By rep and lead_source."


def test_the_cap_drops_pairs_first():
    rules = replace(TINY, pairs=(("rep", "lead_source"),))
    shown = profile(50_000, "rep,lead_source").show(at_noon(call("c1", NOON - MINUTE, rep="ana"), rules=rules))
    capped = profile(len(shown.series) - 1, "rep,lead_source").show(at_noon(call("c1", NOON - MINUTE, rep="ana"), rules=rules))
    (gone,) = [each for each in shown.series if each not in capped.series]
    assert gone.name.metric.endswith("_by_rep_and_lead_source")


def test_the_whole_shows_every_figure():
    assert {metric_name(figure) for figure in FIGURES} <= profile().helps.keys()


def test_the_series_of_a_tiny_roster_counted_by_hand():
    counts = [figure for figure in FIGURES if figure.formula in {Formula.COUNT, Formula.SAMPLES}]
    whole = sum(len(figure.windows) for figure in counts) + 2 + 1 + 8 + 3 + 8
    # Nothing has happened: counts and samples are 0, and no ratio, mean, quantile or oldest lead has a value.
    rep_or_team = (3 + 3 + 3 + 3 + 4 + 5 - 1) * 5 + 2 + (2 + 1) * 4
    lead_source = (1 + 2 + 1 + 2 + 2 + 2 + 1) * 5 + (2 + 1 + 1 + 1 + 2 + 1 + 1) * 4
    origin = lead_source
    channel = (1 + 2 + 2) * 5 + 4
    shown = profile().show(at_noon(rules=TINY))
    assert len(shown.series) == whole + 3 * rep_or_team + 2 * lead_source + origin + 4 * channel
    assert shown.dropped == 0
    assert {each.value for each in shown.series} == {0.0}


def test_slices_are_shown_in_the_windows_of_the_board_and_the_whole_in_all():
    windows = Counter(
        (bool(set(each.name.labels) & set(ORDER)), each.name.labels.get("window"))
        for each in profile().show(at_noon(rules=TINY)).series
    )
    assert {window for sliced, window in windows if sliced} == {*BOARD, None}
    assert len({window for sliced, window in windows if not sliced}) == 15


def test_a_count_of_a_slice_that_is_not_configured_shows_only_where_it_is_not_0():
    values = found(profile().show(at_noon(call("c1", NOON - MINUTE, rep="stranger"), rules=TINY)))
    assert values["leadbeat_calls_by_rep", "1h", "other"] == 1
    assert values["leadbeat_calls_by_rep", "1h", "ana"] == 0
    assert ("leadbeat_emails_by_rep", "1h", "other") not in values
    assert ("leadbeat_calls_by_rep", "1h", "unassigned") not in values


def test_a_rep_who_left_is_shown_while_there_is_something_to_show():
    rules = Rules(roster=(member("cleo", "north"), member("cleo", None, NOON - DAY)))
    values = found(profile().show(at_noon(call("c1", NOON - 2 * DAY, rep="cleo"), rules=rules)))
    assert values["leadbeat_calls_by_rep", "7d", "cleo"] == 1
    assert ("leadbeat_calls_by_rep", "1h", "cleo") not in values


def answered(count: int) -> list:
    events = []
    for number in range(count):
        of = f"lead-{number}"
        events += [lead(of=of, created_at=NOON - 10 * MINUTE, owner="ana"), call("c", NOON - 9 * MINUTE, of=of, rep="ana")]
    return events


def test_a_ratio_shows_from_its_minimum_n_and_its_parts_always():
    metric = "leadbeat_response_within_sla_ratio"
    few, enough = (found(profile().show(at_noon(*answered(n), rules=TINY))) for n in (9, 10))
    assert (metric, "1h", "") not in few
    assert few["leadbeat_responses_within_sla", "1h", ""] == 9
    assert enough[metric, "1h", ""] == 1
    assert enough[f"{metric}_by_rep", "1h", "ana"] == 1
    assert (f"{metric}_by_rep", "1h", "ben") not in enough


def test_times_are_in_seconds_and_samples_tell_how_many():
    values = found(profile().show(at_noon(*answered(2), rules=TINY)))
    assert values["leadbeat_lead_response_time_mean_seconds", "today", ""] == 60
    assert values["leadbeat_lead_response_time_p50_seconds_by_rep", "1h", "ana"] == pytest.approx(60, rel=0.01)
    assert values["leadbeat_lead_response_time_samples_by_team", "1h", "north"] == 2
    assert ("leadbeat_lead_response_time_p90_seconds", "today", "") not in values


def test_the_oldest_lead_is_two_instants_or_one_without_an_sla_or_none():
    waiting = lead(created_at=NOON - MINUTE, owner="ana")
    since, due = (f"leadbeat_oldest_lead_waiting{part}_timestamp_seconds" for part in ("", "_due"))
    told = found(profile().show(at_noon(waiting, rules=TINY)))
    assert told[since, "", ""] == told[f"{since}_by_rep", "", "ana"] == (NOON - MINUTE) / 1000
    assert told[due, "", ""] == told[f"{due}_by_team", "", "north"] == (NOON + 4 * MINUTE) / 1000
    assert (f"{since}_by_rep", "", "ben") not in told
    endless = found(profile().show(at_noon(waiting, rules=Rules(sla=()))))
    assert (since, "", "") in endless
    assert (due, "", "") not in endless
    assert (since, "", "") not in found(profile().show(at_noon(rules=TINY)))


def test_warnings_share_a_metric_and_differ_by_their_percent():
    shown = profile().show(at_noon(lead(created_at=NOON - 3 * MINUTE), rules=TINY))
    warnings = {
        each.name.labels["sla_percent"]: each.value
        for each in shown.series
        if each.name.metric == "leadbeat_sla_warnings" and each.name.labels["window"] == "1h"
    }
    assert warnings == {"50": 1, "80": 0}


def test_the_whole_and_teams_stay_where_there_are_too_many():
    everything = profile().show(at_noon(rules=TINY))
    whole_and_teams = [each for each in everything.series if not set(each.name.labels) & set(ORDER[2:])]
    capped = profile(len(whole_and_teams)).show(at_noon(rules=TINY))
    assert sorted(map(repr, capped.series)) == sorted(map(repr, whole_and_teams))
    assert capped.dropped == len(everything.series) - len(whole_and_teams)


def test_slices_that_are_not_configured_go_before_those_that_are():
    row = Row(1.0, 1, None, "ok", 7)
    snapshot = Snapshot(round_of({"rep": ["zoe"]}), {"1h": {"calls|rep=adam": row, "calls|rep=zoe": row}})
    assert set(found(profile(1).show(snapshot))) == {("leadbeat_calls_by_rep", "1h", "zoe")}


def test_names_that_are_gone_are_forgotten():
    shown, row = profile(), Row(1.0, 1, None, "ok", 7)
    for number in range(100):
        shown.show(Snapshot(round_of({}), {"1h": {f"calls|rep={number}": row}}))
    assert len(shown._known["1h"].keys) <= MOST_GONE + 1


def test_a_ratio_tells_the_metrics_that_it_is_made_of():
    helps = profile().helps
    assert helps["leadbeat_reply_ratio"] == "leadbeat_leads_replied ÷ leadbeat_leads_first_reached."
    assert helps["leadbeat_meeting_show_ratio_by_rep"] == (
        "leadbeat_meetings_held_by_rep ÷ (leadbeat_meetings_held_by_rep + leadbeat_meeting_no_shows_by_rep). By rep."
    )
    for figure in FIGURES:
        if figure.denominator:
            assert {metric_name(PUBLISHED[measure]) for measure in figure.measures} <= helps.keys()
    assert helps["leadbeat_win_value_ratio"] == "leadbeat_revenue_eur ÷ (leadbeat_revenue_eur + leadbeat_revenue_lost_eur)."
    entered = 'leadbeat_stage_entries_by_origin{lead_stage="lead"}'
    assert helps["leadbeat_lead_to_customer_ratio_by_origin"] == f"leadbeat_lead_to_customer_by_origin ÷ {entered}. By origin."
    assert helps["leadbeat_funnel_leakage_ratio"] == "leadbeat_leads_lost_in_stage ÷ leadbeat_stage_entries."
    assert "*lead_stage*" in helps["leadbeat_stage_entries"]


def test_money_has_its_currency_in_the_name():
    shown = Profile(BOARD, 50_000, currency="CHF")
    assert {"leadbeat_revenue_chf", "leadbeat_deal_size_mean_chf", "leadbeat_pipeline_value_chf"} <= shown.helps.keys()
    assert {"leadbeat_win_value_ratio", "leadbeat_discount_ratio", "leadbeat_deals_won"} <= shown.helps.keys()
    assert shown.helps["leadbeat_deal_size_mean_chf"] == "leadbeat_revenue_chf ÷ leadbeat_deals_won."


def test_rows_of_another_catalogue_and_an_empty_table_are_no_series():
    snapshot = at_noon(rules=TINY)
    row = snapshot.rows["1h"]["calls"]
    strange = snapshot._replace(rows={"1h": {"phone_calls": row, "phone_calls|rep=ana": row, "calls|weather=fine": row}})
    assert profile().show(strange) == Shown([], 0)


def test_a_value_that_is_no_number_is_no_series():
    snapshot = at_noon(rules=TINY)
    row = snapshot.rows["1h"]["calls"]
    broken = {"calls": type(row)(float("nan"), 1, None, "ok", 7), "emails": type(row)(None, 0, None, "stale", 7)}
    assert profile().show(snapshot._replace(rows={"1h": broken})) == Shown([], 0)


ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(st.lists(ANY_TEXT, unique=True))
def test_legible_names_stay_different_and_hold_nothing_that_breaks_a_page(names):
    told = [legible(name) for name in names]
    assert len(set(told)) == len(names)
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for name in told for char in name)


def test_what_is_no_trouble_stays_as_it_is():
    assert legible('Ana "the|ax" O\\Neil = 100 % 💜') == 'Ana "the|ax" O\\Neil = 100 % 💜'
    assert legible("\ufffd0000") != legible("\x00")
    assert legible("a\nb\ud800") == "a\ufffd000ab\ufffdd800"
