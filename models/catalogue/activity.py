"""Activity: what reps do, and what came of it at once. Section 2 of the catalogue."""

from models.kpis import Figure, board, count, ratio
from models.measures import WITH_CHANNEL, Measure, Occurrence, flow, meetings
from models.measures import automated_touches as automated_touches_of
from models.measures import touches as touches_of
from models.state.facts import MEETING, Meeting, Touch
from models.story import Story
from models.units import Millis


def _acted(story: Story, touch: Touch) -> Occurrence:
    return Occurrence(touch.at, 1, story.acted(touch.rep, touch.at, touch.channel))


@flow(of=touches_of, dims=WITH_CHANNEL)
def touches(story: Story, touch: Touch) -> Occurrence:
    """Outbound calls, emails and messages by a person, and meetings held, at the touch."""
    return _acted(story, touch)


@flow(of=automated_touches_of, dims=WITH_CHANNEL)
def automated_touches(story: Story, touch: Touch) -> Occurrence:
    """Sequence steps and auto-replies, at the touch; they are in no other count of touches."""
    return _acted(story, touch)


@flow(of=touches_of)
def calls(story: Story, touch: Touch) -> Occurrence | None:
    """Outbound calls by a person, at the call."""
    return _acted(story, touch) if touch.channel == "call" else None


@flow(of=touches_of)
def emails(story: Story, touch: Touch) -> Occurrence | None:
    """Emails by a person, at the email."""
    return _acted(story, touch) if touch.channel == "email" else None


@flow(of=touches_of)
def messages(story: Story, touch: Touch) -> Occurrence | None:
    """Messages (text, chat, social) by a person, at the message."""
    return _acted(story, touch) if touch.channel == "message" else None


@flow(of=touches_of)
def calls_connected(story: Story, touch: Touch) -> Occurrence | None:
    """Calls that reached the person, at the call."""
    return _acted(story, touch) if touch.channel == "call" and touch.connected else None


@flow(of=touches_of, dims=WITH_CHANNEL)
def touches_connected(story: Story, touch: Touch) -> Occurrence | None:
    """Touches that reached the person (connected, replied, held), at the touch."""
    reached = touch.channel == MEETING or (touch.channel == "call" and touch.connected)
    return _acted(story, touch) if reached or touch.id in story.replied_touches else None


@flow(of=meetings)
def meetings_booked(story: Story, meeting: Meeting) -> Occurrence | None:
    """Meetings booked, at the booking."""
    at = meeting.booked_at
    return None if at is None else Occurrence(at, 1, story.acted(meeting.rep, at))


def _scheduled(story: Story, meeting: Meeting) -> Occurrence | None:
    at = meeting.scheduled_at
    return None if at is None else Occurrence(Millis(at), 1, story.acted(meeting.rep, at))


@flow(of=meetings)
def meetings_held(story: Story, meeting: Meeting) -> Occurrence | None:
    """Meetings held, at their scheduled time."""
    return _scheduled(story, meeting) if story.held(meeting) else None


@flow(of=meetings)
def meeting_no_shows(story: Story, meeting: Meeting) -> Occurrence | None:
    """Meetings that the lead did not come to, at their scheduled time."""
    return _scheduled(story, meeting) if meeting.outcome == "no_show" else None


@flow(of=meetings)
def meetings_cancelled(story: Story, meeting: Meeting) -> Occurrence | None:
    """Meetings cancelled beforehand, at their scheduled time; they count as neither held nor missed."""
    return _scheduled(story, meeting) if meeting.outcome == "cancelled" else None


@flow(of=meetings)
def meetings_unmarked(story: Story, meeting: Meeting) -> Occurrence | None:
    """Meetings past their grace of which nobody has said how they went, at their scheduled time."""
    return _scheduled(story, meeting) if story.unmarked(meeting) and not story.held(meeting) else None


@flow(of=meetings)
def demos_held(story: Story, meeting: Meeting) -> Occurrence | None:
    """Demos held, at their scheduled time."""
    return _scheduled(story, meeting) if meeting.kind == "demo" and story.held(meeting) else None


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
