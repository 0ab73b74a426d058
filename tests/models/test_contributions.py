"""What a lead adds to the totals, and the law of time: between two turning points nothing changes."""

from itertools import takewhile

import build
import strategies
import strategies_rules
import strategies_subjects
from build import DAY, HOUR, MINUTE, NOON, RULES, SECOND, folded
from engine import BEGINNING, changed, counted, listed, seen
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import MEASURES
from models.catalogue.funnel import IN_STAGE, leads_known
from models.codes import NEVER, Codes
from models.contributions import ALERT_LIMIT, difference, evaluate, evaluate_both
from models.meaning import Threshold, Waiting, meanings
from models.measures import Kind
from models.state.facts import facts
from models.state.lead import Lead
from models.units import Millis
from models.windows import RETENTION, Pane

HISTORIES = st.one_of(strategies.histories(), strategies.histories(), strategies_subjects.histories())
RULEBOOKS = strategies_rules.rules(zones=("UTC",))
LONG_AFTER = Millis(NOON + 1000 * DAY)


@given(HISTORIES, RULEBOOKS, strategies.WHEN, st.data())
def test_nothing_changes_before_the_next_change(history, rules, known_until, data):
    lead = folded(*history)
    now = seen(lead, rules, known_until)
    last = (now.next_change or LONG_AFTER) - 1
    assert last >= known_until
    assert seen(lead, rules, Millis(last)) == now
    assert seen(lead, rules, Millis(data.draw(st.integers(known_until, last)))) == now


def columns(evaluation):
    """All that an evaluation says beside contributions, to be compared."""
    return [[part.tolist() for part in table] for table in (evaluation.waiting, evaluation.thresholds, evaluation[-3:])]


def by_lead(changes, codes, count):
    """What each of some leads contributes."""
    return [listed([of_lead(change, number) for change in changes], codes) for number in range(count)]


def of_lead(change, number):
    rows = change.of == number
    columns = {name: getattr(change, name)[rows] for name in ("of", "at", "value", "times")}
    return change._replace(by=change.by[:, rows], **columns)


def assert_alike(before, after, codes, then, now):
    """Both sides evaluated at once say what each says by itself."""
    old, new = evaluate_both(before, after, codes, then, now)
    then_alone, now_alone = evaluate(before, codes, then), evaluate(after, codes, now)
    assert columns(old) == columns(then_alone)
    assert columns(new) == columns(now_alone)
    changes = by_lead(difference(new, old), codes, len(before))
    assert changes == by_lead(difference(now_alone, then_alone), codes, len(before))
    return changes


@given(st.lists(st.tuples(HISTORIES, HISTORIES, st.booleans()), max_size=4), RULEBOOKS, strategies.WHEN, strategies.WHEN)
def test_both_sides_of_a_change_are_evaluated_as_each_by_itself(pairs, rules, then, now):
    codes = Codes(rules)
    before = [facts(folded(*history), codes) for history, _, _ in pairs]
    after = [facts(folded(*history, *(more if changes else ())), codes) for history, more, changes in pairs]
    assert_alike(before, after, codes, then, now)


def test_a_meeting_that_nobody_has_marked_is_so_when_its_grace_is_over_for_each_side_by_itself():
    codes = Codes(RULES)
    leads = [facts(folded(build.meeting("m", scheduled_at=NOON + number * DAY)), codes) for number in range(2)]
    first, second = assert_alike(leads, leads, codes, Millis(NOON), Millis(NOON + DAY // 2))
    assert {name for name, *_ in first} == {"meetings_unmarked"}
    assert not second


def turns(lead, rules, start):
    """What a lead means at an instant and at each one at which time alone changes it."""
    meaning = seen(lead, rules, start)
    yield start, meaning
    while meaning.next_change is not None:
        assert meaning.next_change > start
        start = meaning.next_change
        meaning = seen(lead, rules, start)
        yield start, meaning


@given(HISTORIES, RULEBOOKS, strategies.WHEN, strategies.WHEN)
def test_walking_every_change_comes_to_what_is_seen_at_once(history, rules, start, end):
    lead = folded(*history)
    start, end = sorted((start, end))
    *_, (_, walked) = takewhile(lambda turn: turn[0] <= end, turns(lead, rules, start))
    assert walked == seen(lead, rules, end)


@given(HISTORIES, RULEBOOKS)
def test_a_lead_comes_to_rest(history, rules):
    *before, (_, last) = turns(folded(*history), rules, BEGINNING)
    assert len(before) < 100
    assert last == seen(folded(*history), rules, LONG_AFTER)


@given(HISTORIES, HISTORIES, RULEBOOKS, strategies.WHEN)
def test_a_difference_turns_one_leads_contributions_into_anothers(one, two, rules, known_until):
    old, new = folded(*one), folded(*two)
    changes = changed(new, old, rules, known_until)
    before, after = (seen(lead, rules, known_until).contributions for lead in (old, new))
    assert _added(before, changes) == after
    assert changed(new, new, rules, known_until) == {}


def _added(contributions, changes):
    total = {key: contributions.get(key, 0) + changes.get(key, 0) for key in contributions.keys() | changes.keys()}
    return {key: times for key, times in total.items() if times}


@given(HISTORIES, RULEBOOKS, strategies.WHEN)
def test_contributions_are_positive_and_stand_in_the_whole_and_each_dimension_once(history, rules, known_until):
    measures = {measure.id: measure for measure in MEASURES}
    for (name, names, at, value), times in seen(folded(*history), rules, known_until).contributions.items():
        measure = measures[name]
        dims = [name.partition("=")[0] for name in names]
        assert times > 0
        assert value >= 0 or name == "discounts"  # more was paid than by the price list
        assert (at == 0) == (measure.kind is Kind.LEVEL)
        slices = list(Codes(rules).slices(measure.dims))
        if measure.kind is Kind.DISTINCT:
            assert set(dims) <= set(slices)
            assert len(dims) == 1 or dims[0] == ""
        else:
            assert dims == slices


@given(HISTORIES, RULEBOOKS, strategies.WHEN)
def test_routing_and_rep_delay_sum_to_the_response_time(history, rules, known_until):
    contributions = seen(folded(*history), rules, known_until).contributions

    def total(measure):
        return sum(value for _, value in counted(contributions, measure))

    assert total("routing_delay") + total("rep_delay") == total("lead_response_time")


@given(HISTORIES, RULEBOOKS, strategies.WHEN)
def test_a_lead_that_waits_is_the_level_and_all_that_is_overdue_is_a_breach(history, rules, known_until):
    meaning = seen(folded(*history), rules, known_until)
    assert bool(counted(meaning.contributions, "leads_awaiting_response")) == (meaning.waiting is not None)
    if counted(meaning.contributions, "leads_overdue"):
        assert (meaning.waiting.due, 1) in counted(meaning.contributions, "sla_breaches")


@given(HISTORIES, RULEBOOKS, strategies.WHEN)
def test_each_threshold_is_a_warning_or_a_breach_that_counts(history, rules, known_until):
    meaning = seen(folded(*history), rules, known_until)
    told = {percent: [] for percent in (50, 80, 100)}
    for percent, at, _, _ in meaning.thresholds:
        told[percent].append((at, 1))
    assert sorted(told[50]) == counted(meaning.contributions, "sla_warnings_50")
    assert sorted(told[80]) == counted(meaning.contributions, "sla_warnings_80")
    assert sorted(told[100]) == counted(meaning.contributions, "sla_breaches")


NOTHING = seen(Lead(), RULES, NOON)


@given(HISTORIES, RULEBOOKS, strategies.WHEN)
def test_a_lead_that_is_gone_means_nothing(history, rules, known_until):
    gone = build.deleted(changed_at=NOON + DAY)
    assert seen(folded(*history, gone), rules, known_until) == NOTHING
    assert seen(folded(*history, build.erased()), rules, known_until) == NOTHING


def test_a_lead_without_facts_means_nothing():
    assert NOTHING == ({}, None, [], None)


WAITING = folded(build.lead(created_at=NOON, owner="ana", owner_at=NOON, lead_source="inbound"))


def test_a_waiting_lead_turns_at_each_share_of_its_sla_and_when_it_is_judged():
    instants = [at - NOON for at, _ in turns(WAITING, RULES, NOON)]
    assert instants == [0, 150 * SECOND, 240 * SECOND, 300 * SECOND, 7 * DAY]


def test_a_waiting_lead_tells_since_when_until_when_and_where():
    waiting = seen(WAITING, RULES, NOON).waiting
    assert waiting == Waiting(NOON, NOON + 5 * MINUTE, "ana", "north", "inbound")
    assert waiting.slices(("", "rep", "team", "lead_source")) == ("", "rep=ana", "team=north", "lead_source=inbound")
    assert waiting.slices(("", "segment", "rep,lead_source")) == ("", "segment=unknown", "rep,lead_source=ana,inbound")


def test_a_threshold_tells_whom_it_is_about():
    codes, known_until = Codes(RULES), Millis(NOON + 150 * SECOND)
    (meaning,) = meanings(evaluate([facts(WAITING, codes)], codes, known_until), codes, known_until)
    assert meaning.thresholds == (Threshold(known_until, 50, NOON, NOON + 5 * MINUTE, "ana", "north", None, late=False),)


def test_a_waiting_leads_level_moves_with_its_owners_team():
    lead = folded(build.lead(created_at=NOON, owner="ben", owner_at=NOON), build.call("t1", NOON - HOUR))
    before = seen(lead, RULES, Millis(NOON + 6 * MINUTE))
    assert before.next_change == NOON + 10 * MINUTE
    after = seen(lead, RULES, before.next_change)
    assert counted(before.contributions, "leads_overdue", "team=north") == [(0, 1)]
    assert counted(after.contributions, "leads_overdue", "team=south") == [(0, 1)]


def test_a_waiting_leads_level_moves_with_the_team_of_whoever_owns_it_now():
    passed_on = build.lead(owner="ben", owner_at=NOON + MINUTE, changed_at=NOON + 1)
    lead = folded(build.lead(created_at=NOON, owner="ana", owner_at=NOON), passed_on)
    assert NOON + 10 * MINUTE in [at for at, _ in turns(lead, RULES, NOON)]


def test_a_touch_ahead_of_the_clock_contacts_the_lead_when_its_ten_seconds_begin():
    lead = folded(build.call("t1", NOON), build.call("t2", NOON + 25 * SECOND))
    before = seen(lead, RULES, NOON)
    assert counted(before.contributions, "leads_contacted") == [(NOON, 1)]
    assert before.next_change == NOON + 18 * SECOND
    after = seen(lead, RULES, before.next_change)
    assert counted(after.contributions, "leads_contacted") == [(NOON + 25 * SECOND, 1)]


def test_a_lead_is_contacted_once_in_each_slice_at_the_last_touch_within_it():
    lead = folded(
        build.call("t1", NOON, rep="ana"), build.email("t2", NOON + MINUTE, rep="cleo"), build.call("t3", NOON - 1, rep="cleo")
    )
    contributions = seen(lead, RULES, Millis(NOON + HOUR)).contributions
    slices = {"": 60_000, "rep=ana": 0, "rep=cleo": 60_000, "channel=call": 0, "channel=email": 60_000}
    for name, after in slices.items():
        assert counted(contributions, "leads_contacted", name) == [(NOON + after, 1)]


def test_what_is_alike_is_counted_as_often_as_it_occurs():
    lead = folded(build.call("t1", NOON, rep="ana"), build.call("t2", NOON, rep="ana"))
    assert counted(seen(lead, RULES, NOON).contributions, "calls") == [(NOON, 1), (NOON, 1)]


def test_thresholds_are_told_for_a_quarter_of_an_hour():
    assert ALERT_LIMIT == 15 * MINUTE


@given(HISTORIES, RULEBOOKS)
def test_a_lead_that_has_ended_is_in_no_pane_that_is_kept_and_in_no_level_but_of_its_stage(history, rules):
    codes = Codes(rules)
    found = evaluate([facts(folded(*history), codes)], codes, LONG_AFTER)
    (ends_at,) = found.ends_at.tolist()
    if ends_at == NEVER:
        return
    for each in found.contributions:
        measure = MEASURES[each.measure]
        assert measure.kind is not Kind.LEVEL or not len(each.of) or measure in (leads_known, *IN_STAGE.values())
        if measure.kind is Kind.LEVEL:
            continue
        assert (each.at + RETENTION[Pane.DAY] + DAY <= ends_at).all()
