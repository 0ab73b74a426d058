"""What deals have to do with the rest of their leads' stories: what led to them, and to whose credit they are."""

from dataclasses import replace

import numpy as np

from models.codes import NEVER, Ints, Mask, rows_where
from models.deals import Nurtured
from models.stages import CUSTOMER
from models.story import Story
from models.tables import Occurrences, Table, in_order, together


def sales_cycles(story: Story) -> Occurrences:
    """Deals won, at their close; how long it took from the lead's first touch, if that lies before, or else creation."""
    won = story.since_creation("closed", story.won)
    if not len(won):
        return won
    touched_at = story.first_touched_at[won.of]
    return won.worth(np.maximum(0, np.where(touched_at <= won.at, won.at - touched_at, won.value)))


def lifecycles(story: Story) -> Occurrences:
    """The first deals that leads won, at their close; how long it took since they were first seen, if they were before."""
    won = story.deals_at("closed", story.first_wins)
    seen_at = story.created_at
    for table in (story.inquiries, story.all_touches, story.all_replies):
        seen_at = np.minimum(seen_at, table.instants(table.first()))
    known = won.where(rows_where(seen_at[won.of] <= won.at))
    return known.worth(known.at - seen_at[known.of])


def attributed(story: Story) -> Occurrences:
    """The amounts of deals won, on the channel on which their lead was first touched."""
    won, first = story.worth_at("closed", "closed", story.won), story.first_touches
    channel = np.zeros(story.leads, np.int64)
    channel[first.of] = first.channel
    return replace(won, channel=channel[won.of])


def touches_until(story: Story, ended: Occurrences) -> Occurrences:
    """Touches by a person up to the end of deals: each counts once, on its channel, at that end."""
    touches = story.touches
    counts = touches.counted_until(ended.of, ended.at)
    rows = np.repeat(np.arange(len(ended)), counts)
    before = np.arange(len(rows)) - np.repeat(counts.cumsum() - counts, counts)
    places = touches.starts[ended.of[rows]] + before
    return replace(ended.where(rows), channel=touches.channel[places])


def touches_of_customers(story: Story) -> Occurrences:
    """Touches by a person with leads that were customers then."""
    touches, stages = story.touches, story.stages
    stage = stages.column(stages.value, stages.last_until(touches.of, touches.at), -1)
    return touches.where(rows_where(stage == CUSTOMER))


def conversations(story: Story) -> Occurrences:
    """Connected calls, replies that a person then touched again, and meetings held, before the clock's pane ends."""
    replies, touches = story.replies, story.all_touches
    by_person = touches.where(rows_where(~touches.automated))
    answered = replies.where(rows_where(by_person.instants(by_person.last())[replies.of] > replies.at))
    answered = answered.where(rows_where(_there(by_person)[answered.of]))
    held = story.acted(story.meetings_held, story.meetings_held.rep)
    found = together(story.connected_calls, answered, held)
    return found.where(rows_where(found.at < story.horizon[found.of]))


def _there(table: Table) -> Mask:
    there: Mask = table.last() >= 0
    return there


def _first_demos(story: Story) -> Occurrences:
    held = story.scheduled.where(rows_where(story.held & story.scheduled.demo))
    first = held.first()
    demos = held.where(first[first >= 0])
    return story.acted(demos, demos.rep)


def demonstrated(story: Story, chosen: Mask) -> Occurrences:
    """Some deals whose lead was shown a demo before their end, at the first one."""
    demos = _first_demos(story)
    of, rows = story.deals_of
    place = np.full(story.leads, -1, np.int64)
    place[demos.of] = np.arange(len(demos))
    shown_at = np.append(demos.at, NEVER)[place[of]]
    counted: Ints = place[of[rows_where(chosen & (shown_at <= rows["closed_at"]) & (shown_at != NEVER))]]
    return in_order(demos.where(np.sort(counted)))


def nurtured(story: Story, *, converted: bool) -> Nurtured:
    """Stays on nurture tracks; or those after whose begin the lead became a customer."""
    found = story.nurtures()
    if not converted:
        return found
    customer_at = story.reached_at[CUSTOMER][found.of]
    return found.where(rows_where((customer_at != NEVER) & (customer_at >= found.at)))
