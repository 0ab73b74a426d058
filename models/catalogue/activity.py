"""Activity: what reps do, and what came of it at once. Section 2 of the catalogue."""

from models.codes import Mask
from models.kpis import Figure, board, count, ratio
from models.measures import WITH_CHANNEL, Measure, flow
from models.story import CALL, CANCELLED, EMAIL, MESSAGE, NO_SHOW, Story
from models.tables import Occurrences


@flow(WITH_CHANNEL)
def touches(story: Story) -> Occurrences:
    """Outbound calls, emails and messages by a person, and meetings held, at the touch."""
    return story.touches


@flow(WITH_CHANNEL)
def automated_touches(story: Story) -> Occurrences:
    """Sequence steps and auto-replies, at the touch; they are in no other count of touches."""
    return story.automated_touches


@flow()
def calls(story: Story) -> Occurrences:
    """Outbound calls by a person, at the call."""
    return story.touches.where(story.touches.channel == CALL)


@flow()
def emails(story: Story) -> Occurrences:
    """Emails by a person, at the email."""
    return story.touches.where(story.touches.channel == EMAIL)


@flow()
def messages(story: Story) -> Occurrences:
    """Messages (text, chat, social) by a person, at the message."""
    return story.touches.where(story.touches.channel == MESSAGE)


@flow()
def calls_connected(story: Story) -> Occurrences:
    """Calls that reached the person, at the call."""
    return story.connected_calls


@flow(WITH_CHANNEL)
def touches_connected(story: Story) -> Occurrences:
    """Touches that reached the person (connected, replied, held), at the touch."""
    return story.connected_touches


@flow(drill=True)
def meetings_booked(story: Story) -> Occurrences:
    """Meetings booked, at the booking."""
    return story.acted(story.booked, story.booked.rep)


def _scheduled(story: Story, chosen: Mask) -> Occurrences:
    meetings = story.scheduled.where(chosen)
    return story.acted(meetings, meetings.rep)


@flow(drill=True)
def meetings_held(story: Story) -> Occurrences:
    """Meetings held, at their scheduled time."""
    return _scheduled(story, story.held)


@flow(drill=True)
def meeting_no_shows(story: Story) -> Occurrences:
    """Meetings that the lead did not come to, at their scheduled time."""
    return _scheduled(story, story.scheduled.outcome == NO_SHOW)


@flow(drill=True)
def meetings_cancelled(story: Story) -> Occurrences:
    """Meetings cancelled beforehand, at their scheduled time; they count as neither held nor missed."""
    return _scheduled(story, story.scheduled.outcome == CANCELLED)


@flow(drill=True)
def meetings_unmarked(story: Story) -> Occurrences:
    """Meetings past their grace of which nobody has said how they went, at their scheduled time."""
    return _scheduled(story, story.unmarked & ~story.held)


@flow(drill=True)
def demos_held(story: Story) -> Occurrences:
    """Demos held, at their scheduled time."""
    return _scheduled(story, story.scheduled.demo & story.held)


MEASURES: tuple[Measure, ...] = (
    touches,
    automated_touches,
    calls,
    emails,
    messages,
    calls_connected,
    touches_connected,
    meetings_booked,
    meetings_held,
    meeting_no_shows,
    meetings_cancelled,
    meetings_unmarked,
    demos_held,
)

KPIS: tuple[Figure, ...] = (
    count(touches, board.REPS),
    count(automated_touches),
    count(calls, board.REPS),
    count(emails, board.REPS),
    count(messages),
    count(calls_connected),
    ratio("call_connect_ratio", calls_connected / calls, board.REPS),
    ratio("touches_connected_ratio", touches_connected / touches),
    count(meetings_booked, board.REPS | board.SOURCES),
    count(meetings_held),
    count(meeting_no_shows),
    count(meetings_cancelled),
    count(meetings_unmarked),
    ratio("meeting_show_ratio", meetings_held / (meetings_held + meeting_no_shows), board.REPS | board.SOURCES),
    count(demos_held),
)
