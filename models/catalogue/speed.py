"""Speed to lead and follow-up: how soon and how surely an inquiry is answered. Section 1 of the catalogue."""

from models.kpis import Figure, board, count, labelled, latency, level_now, mean, oldest, ratio
from models.measures import WITH_CHANNEL, Measure, duration, flow, level
from models.rules import BREACH_PERCENT, WARNING_PERCENTS
from models.story import Story
from models.tables import Occurrences, ones, together, zeros


@duration(WITH_CHANNEL)
def lead_response_time(story: Story) -> Occurrences:
    """Inquiry to first human attempt, at the attempt."""
    return story.answers.worth(story.answered.answered_at - story.answered.at)


@duration(WITH_CHANNEL)
def lead_response_time_business(story: Story) -> Occurrences:
    """Inquiry to first human attempt in business time of the owners; none if both lie outside of it, or without calendars."""
    clocks, answers = story.answered, story.answers
    if not story.codes.rules.calendars:
        return answers.where(zeros(0))
    within = story.in_hours(clocks.of, clocks.at) | story.in_hours(clocks.of, clocks.answered_at)
    return answers.worth(story.worked(clocks.of, clocks.at, clocks.answered_at)).where(within)


@duration()
def routing_delay(story: Story) -> Occurrences:
    """Inquiry to assigned, at the attempt."""
    return story.answers.worth(story.assigned_at - story.answered.at)


@duration()
def rep_delay(story: Story) -> Occurrences:
    """Assigned to first human attempt, at the attempt."""
    return story.answers.worth(story.answered.answered_at - story.assigned_at)


@duration(WITH_CHANNEL)
def lead_contact_time(story: Story) -> Occurrences:
    """Inquiry to first two-way contact (connected call, reply, meeting held), at the contact."""
    return story.first_contacts


@flow(drill=True)
def responses_within_sla(story: Story) -> Occurrences:
    """Clocks answered at or before their due time, at the answer."""
    return story.answers.where((story.answered.target > 0) & (story.answered.answered_at <= story.answered.due))


@flow(drill=True)
def clocks_ended(story: Story) -> Occurrences:
    """Clocks that ended: answered in time, at the answer, or missed, at their due time."""
    return together(responses_within_sla.select(story), story.misses[BREACH_PERCENT].moments)


def _share_passed(percent: int, name: str) -> Measure:
    def select(story: Story) -> Occurrences:
        return story.misses[percent].moments

    select.__name__ = name
    select.__doc__ = f"Clocks unanswered when {percent} % of their SLA had passed, at that moment."
    return flow(drill=True)(select)


SLA_WARNINGS = {percent: _share_passed(percent, f"sla_warnings_{percent}") for percent in WARNING_PERCENTS}
sla_breaches = _share_passed(BREACH_PERCENT, "sla_breaches")


@level()
def leads_awaiting_response(story: Story) -> Occurrences:
    """Leads whose last inquiry nobody has answered, now."""
    return story.now(story.open_clocks.of)


@level()
def leads_overdue(story: Story) -> Occurrences:
    """Of the leads that await a response, those past their due time, now."""
    clocks = story.open_clocks
    return story.now(clocks.of[clocks.due <= story.known_until[clocks.of]])


@flow(drill=True, grows=True)
def leads_created(story: Story) -> Occurrences:
    """Leads created, at their creation."""
    return story.created


@flow(drill=True)
def leads_followed_up(story: Story) -> Occurrences:
    """Leads that a person has touched, at their creation."""
    return story.created.of_those(story.among(story.touches.of))


@flow()
def leads_judged(story: Story) -> Occurrences:
    """Leads created 7 days ago, at that moment."""
    return story.judged


@flow(drill=True)
def leads_never_contacted(story: Story) -> Occurrences:
    """Leads without two-way contact until 7 days after their creation, at that moment."""
    first_contact = story.contacts.instants(story.contacts.first())
    return story.judged.where(first_contact[story.judged.of] > story.judged.at)


@flow()
def follow_up_attempts(story: Story) -> Occurrences:
    """Touches by a person from the first to the first reply, or to the close where none came, at the reply or close."""
    return story.follow_ups


@flow()
def follow_ups_ended(story: Story) -> Occurrences:
    """Leads whose follow-up ended by a reply or a close, at that moment."""
    return story.follow_ups.worth(ones(len(story.follow_ups)))


@duration()
def time_to_first_meeting(story: Story) -> Occurrences:
    """First inquiry to the first meeting booked, at the booking."""
    return story.first_bookings


MEASURES: tuple[Measure, ...] = (
    lead_response_time,
    lead_response_time_business,
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
    *latency(lead_response_time_business, board.REPS),
    *latency(lead_contact_time, board.REPS),
    *latency(routing_delay),
    *latency(rep_delay),
    ratio("response_within_sla_ratio", responses_within_sla / clocks_ended, board.REPS | board.SOURCES),
    *(
        each
        for percent, measure in SLA_WARNINGS.items()
        for each in labelled([count(measure)], "sla_warnings", sla_percent=str(percent))
    ),
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
