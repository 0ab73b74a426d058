"""Speed to lead and follow-up: how soon and how surely an inquiry is answered. Section 1 of the catalogue."""

from models.kpis import Figure, board, count, labelled, latency, level_now, mean, oldest, ratio
from models.measures import (
    WITH_CHANNEL,
    Measure,
    Occurrence,
    answered_clocks,
    clocks,
    duration,
    flow,
    level,
    the_lead,
)
from models.rules import BREACH_PERCENT, WARNING_PERCENTS
from models.state.facts import MEETING, Touch
from models.story import JUDGED_AFTER, Clock, Story
from models.units import Millis


@duration(of=answered_clocks, dims=WITH_CHANNEL)
def lead_response_time(story: Story, answered: tuple[Clock, Touch]) -> Occurrence:
    """Inquiry to first human attempt, at the attempt."""
    clock, attempt = answered
    return Occurrence(attempt.at, attempt.at - clock.start, story.acted(attempt.rep, attempt.at, attempt.channel))


@duration(of=answered_clocks)
def routing_delay(story: Story, answered: tuple[Clock, Touch]) -> Occurrence:
    """Inquiry to assigned, at the attempt."""
    clock, attempt = answered
    assigned_at = story.assigned_at(clock, attempt.at)
    return Occurrence(attempt.at, assigned_at - clock.start, story.acted(attempt.rep, attempt.at))


@duration(of=answered_clocks)
def rep_delay(story: Story, answered: tuple[Clock, Touch]) -> Occurrence:
    """Assigned to first human attempt, at the attempt."""
    clock, attempt = answered
    assigned_at = story.assigned_at(clock, attempt.at)
    return Occurrence(attempt.at, attempt.at - assigned_at, story.acted(attempt.rep, attempt.at))


@duration(of=clocks, dims=WITH_CHANNEL)
def lead_contact_time(story: Story, clock: Clock) -> Occurrence | None:
    """Inquiry to first two-way contact (connected call, reply, meeting held), at the contact."""
    contact = story.contact_of(clock)
    if contact is None:
        return None
    return Occurrence(contact.at, contact.at - clock.start, story.acted(contact.rep, contact.at, contact.channel))


def _hit(story: Story, clock: Clock) -> Occurrence | None:
    attempt, due = clock.attempt, clock.due
    if attempt is None or due is None or attempt.at > due:
        return None
    return Occurrence(attempt.at, 1, story.acted(attempt.rep, attempt.at))


@flow(of=clocks)
def responses_within_sla(story: Story, clock: Clock) -> Occurrence | None:
    """Clocks answered at or before their due time, at the answer."""
    return _hit(story, clock)


@flow(of=clocks)
def clocks_ended(story: Story, clock: Clock) -> Occurrence | None:
    """Clocks that ended: answered in time, at the answer, or missed, at their due time."""
    return _hit(story, clock) or _unanswered_after(story, clock, BREACH_PERCENT)


def _unanswered_after(story: Story, clock: Clock, percent: int) -> Occurrence | None:
    at = clock.after(percent)
    if at is None or at > story.known_until or clock.answered_by(at):
        return None
    return Occurrence(at, 1, story.owned(at))


def _share_passed(percent: int, name: str) -> Measure:
    def select(story: Story, clock: Clock) -> Occurrence | None:
        return _unanswered_after(story, clock, percent)

    select.__name__ = name
    select.__doc__ = f"Clocks unanswered when {percent} % of their SLA had passed, at that moment."
    return flow(of=clocks)(select)


SLA_WARNINGS = {percent: _share_passed(percent, f"sla_warnings_{percent}") for percent in WARNING_PERCENTS}
sla_breaches = _share_passed(BREACH_PERCENT, "sla_breaches")


@level(of=the_lead)
def leads_awaiting_response(story: Story, _lead: Story) -> Occurrence | None:
    """Leads whose last inquiry nobody has answered, now."""
    return None if story.waiting is None else Occurrence(Millis(0), 1, story.level())


@level(of=the_lead)
def leads_overdue(story: Story, _lead: Story) -> Occurrence | None:
    """Of the leads that await a response, those past their due time, now."""
    due = None if story.waiting is None else story.waiting.due
    return None if due is None or due > story.known_until else Occurrence(Millis(0), 1, story.level())


@flow(of=the_lead)
def leads_created(story: Story, _lead: Story) -> Occurrence | None:
    """Leads created, at their creation."""
    at = story.facts.created_at
    return None if at is None else Occurrence(at, 1, story.owned(at))


@flow(of=the_lead)
def leads_followed_up(story: Story, _lead: Story) -> Occurrence | None:
    """Leads that a person has touched, at their creation."""
    at = story.facts.created_at
    return None if at is None or not story.touches else Occurrence(at, 1, story.owned(at))


def _judged(story: Story) -> Millis | None:
    created_at = story.facts.created_at
    at = None if created_at is None else Millis(created_at + JUDGED_AFTER)
    return at if at is not None and at <= story.known_until else None


@flow(of=the_lead)
def leads_judged(story: Story, _lead: Story) -> Occurrence | None:
    """Leads created 7 days ago, at that moment."""
    at = _judged(story)
    return None if at is None else Occurrence(at, 1, story.owned(at))


@flow(of=the_lead)
def leads_never_contacted(story: Story, _lead: Story) -> Occurrence | None:
    """Leads without two-way contact until 7 days after their creation, at that moment."""
    at = _judged(story)
    if at is None or any(contact.at <= at for contact in story.contacts[:1]):
        return None
    return Occurrence(at, 1, story.owned(at))


def _followed_up(story: Story) -> tuple[Millis, int] | None:
    replies = story.human_replies
    ended_at = replies[0].at if replies else story.closed_at
    if ended_at is None:
        return None
    attempts = sum(touch.at <= ended_at for touch in story.touches)
    return (ended_at, attempts) if attempts else None


@flow(of=the_lead)
def follow_up_attempts(story: Story, _lead: Story) -> Occurrence | None:
    """Touches by a person from the first to the first reply, or to the close where none came, at the reply or close."""
    ended = _followed_up(story)
    return None if ended is None else Occurrence(ended[0], ended[1], story.owned(ended[0]))


@flow(of=the_lead)
def follow_ups_ended(story: Story, _lead: Story) -> Occurrence | None:
    """Leads whose follow-up ended by a reply or a close, at that moment."""
    ended = _followed_up(story)
    return None if ended is None else Occurrence(ended[0], 1, story.owned(ended[0]))


@duration(of=the_lead)
def time_to_first_meeting(story: Story, _lead: Story) -> Occurrence | None:
    """First inquiry to the first meeting booked, at the booking."""
    inquired_at = story.facts.inquiries[0] if story.facts.inquiries else None
    if inquired_at is None:
        return None
    bookings = [
        (meeting.booked_at, meeting.id, meeting.rep)
        for meeting in story.facts.meetings
        if meeting.booked_at is not None and meeting.booked_at >= inquired_at
    ]
    if not bookings:
        return None
    booked_at, _, rep = min(bookings, key=lambda booking: booking[:2])
    return Occurrence(booked_at, booked_at - inquired_at, story.acted(rep, booked_at, MEETING))


MEASURES: tuple[Measure, ...] = (
    lead_response_time,
    lead_contact_time,
    routing_delay,
    rep_delay,
    responses_within_sla,
    clocks_ended,
    *SLA_WARNINGS.values(),
    sla_breaches,
    leads_awaiting_response,
    leads_overdue,
    leads_created,
    leads_followed_up,
    leads_judged,
    leads_never_contacted,
    follow_up_attempts,
    follow_ups_ended,
    time_to_first_meeting,
)

KPIS: tuple[Figure, ...] = (
    *latency(lead_response_time, board.REPS | board.SOURCES),
    *latency(lead_contact_time, board.REPS),
    *latency(routing_delay),
    *latency(rep_delay),
    ratio("response_within_sla_ratio", responses_within_sla / clocks_ended, board.REPS | board.SOURCES),
    *(labelled("sla_warnings", measure, sla_percent=str(percent)) for percent, measure in SLA_WARNINGS.items()),
    count(sla_breaches, board.REPS),
    level_now(leads_awaiting_response, board.REPS),
    level_now(leads_overdue, board.REPS),
    oldest("oldest_lead_waiting", leads_awaiting_response, board.REPS),
    ratio("leads_followed_up_ratio", leads_followed_up / leads_created, board.REPS),
    ratio("never_contacted_ratio", leads_never_contacted / leads_judged),
    count(follow_up_attempts),
    mean("follow_up_attempts_mean", follow_up_attempts / follow_ups_ended),
    *latency(time_to_first_meeting),
)
