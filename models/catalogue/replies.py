"""Replies: who answers, how soon and how gladly. Section 3 of the catalogue."""

from models.catalogue.activity import meetings_booked
from models.kpis import Figure, board, count, latency, ratio
from models.measures import WITH_CHANNEL, WITH_SENTIMENT, Measure, Occurrence, distinct, duration, flow, the_lead
from models.measures import replies as replies_of
from models.measures import touches as touches_of
from models.rules import UNKNOWN
from models.state.facts import Reply, Touch
from models.story import Story
from models.windows import horizon


@distinct(of=touches_of, dims=WITH_CHANNEL)
def leads_contacted(story: Story, touch: Touch) -> Occurrence | None:
    """Distinct leads touched by a person, however many touches, at the last one."""
    if touch.at >= horizon(story.known_until):
        return None
    return Occurrence(touch.at, 1, story.acted(touch.rep, touch.at, touch.channel))


def _first(story: Story) -> Occurrence | None:
    touch = story.first_touch
    return None if touch is None else Occurrence(touch.at, 1, story.acted(touch.rep, touch.at, touch.channel))


@flow(of=the_lead, dims=WITH_CHANNEL)
def leads_first_contacted(story: Story, _lead: Story) -> Occurrence | None:
    """Leads first touched (a delivered automated touch counts here), at that touch."""
    return _first(story)


@flow(of=the_lead, dims=WITH_CHANNEL)
def leads_first_reached(story: Story, _lead: Story) -> Occurrence | None:
    """Leads first touched, without those that bounced and never replied, at that touch."""
    bounced = any(reply.kind == "bounce" for reply in story.facts.replies)
    return None if bounced and not story.replies_to_first_touch else _first(story)


@flow(of=the_lead, dims=WITH_CHANNEL)
def leads_replied(story: Story, _lead: Story) -> Occurrence | None:
    """Leads that replied after they were first touched, at that touch."""
    return _first(story) if story.replies_to_first_touch else None


def _latest_sentiment(story: Story) -> str | None:
    classified = [reply.sentiment for reply in story.replies_to_first_touch if reply.sentiment is not None]
    return classified[-1] if classified else None


@flow(of=the_lead, dims=WITH_CHANNEL)
def leads_replied_positive(story: Story, _lead: Story) -> Occurrence | None:
    """Leads whose latest classified reply is positive, at their first touch."""
    return _first(story) if _latest_sentiment(story) == "positive" else None


@flow(of=the_lead, dims=WITH_CHANNEL)
def leads_replied_negative(story: Story, _lead: Story) -> Occurrence | None:
    """Leads whose latest classified reply is negative, at their first touch."""
    return _first(story) if _latest_sentiment(story) == "negative" else None


@flow(of=replies_of, dims=WITH_SENTIMENT)
def replies(story: Story, reply: Reply) -> Occurrence | None:
    """Replies by a person on any channel, at the reply."""
    if reply.kind != "human":
        return None
    dims = story.owned(reply.at, reply.channel)._replace(sentiment=reply.sentiment or UNKNOWN)
    return Occurrence(reply.at, 1, dims)


def _of_kind(story: Story, reply: Reply, kind: str) -> Occurrence | None:
    return Occurrence(reply.at, 1, story.owned(reply.at, reply.channel)) if reply.kind == kind else None


@flow(of=replies_of, dims=WITH_CHANNEL)
def bounces(story: Story, reply: Reply) -> Occurrence | None:
    """Messages that came back undeliverable, at their return."""
    return _of_kind(story, reply, "bounce")


@flow(of=replies_of, dims=WITH_CHANNEL)
def opt_outs(story: Story, reply: Reply) -> Occurrence | None:
    """Unsubscribes, at their receipt."""
    return _of_kind(story, reply, "unsubscribe")


@duration(of=replies_of, dims=WITH_CHANNEL)
def reply_time(story: Story, reply: Reply) -> Occurrence | None:
    """The touch that a reply answers to the reply, at the reply."""
    touch = story.touch_answered_by(reply) if reply.kind == "human" else None
    if touch is None:
        return None
    return Occurrence(reply.at, reply.at - touch.at, story.owned(reply.at, reply.channel))


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
    *latency(reply_time),
    ratio("meeting_acceptance_ratio", meetings_booked / replies, board.REPS),
)
