"""Replies: who answers, how soon and how gladly. Section 3 of the catalogue."""

from models.catalogue.activity import meetings_booked
from models.codes import Mask
from models.kpis import Figure, board, count, latency, ratio
from models.measures import WITH_CHANNEL, WITH_SENTIMENT, Measure, distinct, duration, flow
from models.rules import SENTIMENTS
from models.story import BOUNCE, UNSUBSCRIBE, Story
from models.tables import Occurrences

POSITIVE, _, NEGATIVE = range(2, 2 + len(SENTIMENTS))


@distinct(WITH_CHANNEL)
def leads_contacted(story: Story) -> Occurrences:
    """Distinct leads touched by a person, however many touches, at the last one before the clock's pane ends."""
    return story.touches.where(story.touches.at < story.horizon[story.touches.of])


@flow(WITH_CHANNEL, drill=True)
def leads_first_contacted(story: Story) -> Occurrences:
    """Leads first touched (a delivered automated touch counts here), at that touch."""
    return story.first_touches


@flow(WITH_CHANNEL, drill=True)
def leads_first_reached(story: Story) -> Occurrences:
    """Leads first touched, without those that bounced and never replied, at that touch."""
    return story.first_touches.of_those(~story.bounced | _replied(story))


def _replied(story: Story) -> Mask:
    return story.among(story.replies_to_first_touch.of)


@flow(WITH_CHANNEL, drill=True)
def leads_replied(story: Story) -> Occurrences:
    """Leads that replied after they were first touched, at that touch."""
    return story.first_touches.of_those(_replied(story))


def _latest_is(story: Story, sentiment: int) -> Mask:
    replies = story.replies_to_first_touch
    classified = replies.where(replies.sentiment > 0)
    latest = classified.last()
    found: Mask = classified.column(classified.sentiment, latest, 0) == sentiment
    return found


@flow(WITH_CHANNEL, drill=True)
def leads_replied_positive(story: Story) -> Occurrences:
    """Leads whose latest classified reply is positive, at their first touch."""
    return story.first_touches.of_those(_latest_is(story, POSITIVE))


@flow(WITH_CHANNEL, drill=True)
def leads_replied_negative(story: Story) -> Occurrences:
    """Leads whose latest classified reply is negative, at their first touch."""
    return story.first_touches.of_those(_latest_is(story, NEGATIVE))


@flow(WITH_SENTIMENT, drill=True)
def replies(story: Story) -> Occurrences:
    """Replies by a person on any channel, at the reply."""
    return story.replies


def _of_kind(story: Story, kind: int) -> Occurrences:
    found = story.all_replies.where(story.all_replies.kind == kind)
    return story.owned(found.of, found.at, found.channel)


@flow(WITH_CHANNEL, drill=True)
def bounces(story: Story) -> Occurrences:
    """Messages that came back undeliverable, at their return."""
    return _of_kind(story, BOUNCE)


@flow(WITH_CHANNEL, drill=True)
def opt_outs(story: Story) -> Occurrences:
    """Unsubscribes, at their receipt."""
    return _of_kind(story, UNSUBSCRIBE)


@distinct(reads=("account",), timed=True)
def companies_responded(story: Story) -> Occurrences:
    """Distinct accounts with a reply by a lead of theirs, at the last one: by its owner and the account's own attributes."""
    return story.responses()


@duration(WITH_CHANNEL)
def reply_time(story: Story) -> Occurrences:
    """The touch that a reply answers to the reply, at the reply."""
    touched_at = story.all_touches.instants(story.answered_touches)
    return story.replies.worth(story.replies.at - touched_at).where(story.answered_touches >= 0)


MEASURES: tuple[Measure, ...] = (
    leads_contacted,
    leads_first_contacted,
    leads_first_reached,
    leads_replied,
    leads_replied_positive,
    leads_replied_negative,
    replies,
    bounces,
    opt_outs,
    companies_responded,
    reply_time,
)

KPIS: tuple[Figure, ...] = (
    count(leads_contacted),
    count(leads_first_contacted, board.SOURCES),
    ratio("reply_ratio", leads_replied / leads_first_reached, board.REPS | board.SOURCES),
    ratio("positive_reply_ratio", leads_replied_positive / leads_first_contacted, board.REPS | board.SOURCES),
    ratio("negative_reply_ratio", leads_replied_negative / leads_first_contacted),
    count(replies),
    count(bounces),
    count(opt_outs),
    count(companies_responded),
    *latency(reply_time),
    ratio("meeting_acceptance_ratio", meetings_booked / replies, board.REPS),
)
