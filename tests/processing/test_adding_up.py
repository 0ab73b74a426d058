"""A partition's totals made anew from its states: those of a partition that has known the rules from the start."""

import json

from build import MINUTE, NOON, RULES, SECOND, folded, lead, sla
from engine import Engine, panes_of, sums_of
from hypothesis import given
from msgspec import structs
from strategies import floors
from strategies_rules import rules
from ticking import tick

from models.codes import Codes
from models.rollup import Totals
from models.state.absorption import settle
from models.state.lead import Lead, fold, pack
from models.units import Millis
from streams.processing.adding_up import AddingUp
from streams.processing.partition import Partition


def new_partition(rules, clock=NOON):
    codes = Codes(rules)
    partition = Partition(0, codes, 1, Totals(codes))
    partition.totals.advance(Millis(clock))
    partition.ticks = {0: Millis(clock)}
    return partition


@given(floors(), rules())
def test_totals_are_those_of_a_partition_that_has_always_been_there(events, rules):
    engine = Engine(rules).take(*events).tick(NOON)
    leads: dict[str, Lead] = {}
    for event in events:
        fold(leads.setdefault(event.subject.id, Lead()), event)
    settle(leads)
    partition = new_partition(rules)
    adding_up = AddingUp(partition, frozenset())
    for name, each in leads.items():  # in as many lots as there are leads
        adding_up.take({name: pack(each, {})})
        partition.totals.compact()
    adding_up.settle()
    assert adding_up.leads == len(leads)
    assert sums_of(partition.totals) == sums_of(engine.totals)
    assert panes_of(partition.totals) == panes_of(engine.totals)
    assert adding_up.waiting == {name: each.waiting for name, each in engine.meanings.items() if each.waiting}
    assert adding_up.take_out().due == {name: each.next_change for name, each in engine.meanings.items() if each.next_change}
    assert partition.open_clocks.oldest_by_slice() == engine.oldest()


STRICT = structs.replace(RULES, sla=(sla(2 * MINUTE),))


def told_after(states, pending=frozenset()):
    """The alerts that leave at the next tick after states were taken up under rules by which all is long due."""
    partition = new_partition(STRICT)
    adding_up = AddingUp(partition, pending)
    quiet = adding_up.take(states)
    adding_up.settle()
    clock = NOON + SECOND
    partition.remember({**states, **quiet})
    for subject, at in adding_up.take_out().due.items():
        partition.due.put(subject, at)
    tick(partition, {0: Millis(clock)})
    return sorted(json.loads(message.value)["percent"] for message in partition.cut().outgoing), quiet


def test_nobody_is_told_of_what_new_rules_put_into_the_past():
    states = {"lead-1": pack(folded(lead(created_at=NOON - 5 * MINUTE, owner="ana")), {})}
    alerts, quiet = told_after(states)
    assert alerts == []
    assert quiet.keys() == {"lead-1"}
    assert told_after(quiet) == ([], {})


def test_who_had_something_to_be_told_at_the_next_tick_still_has():
    states = {"lead-1": pack(folded(lead(created_at=NOON - 5 * MINUTE, owner="ana")), {})}
    assert told_after(states, {"lead-1"}) == ([50, 80, 100], {})
