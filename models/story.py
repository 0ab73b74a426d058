"""A lead's story: its facts seen through the rules at one instant. Measures read this and nothing else.

What time alone changes (due, overdue, unmarked, judged) is derived here from the facts and `known_until`, never stored.
"""

from bisect import bisect_right
from functools import cached_property, lru_cache
from typing import NamedTuple

from models.rules import ALERT_PERCENTS, BREACH_PERCENT, UNKNOWN, Rules
from models.state.facts import MEETING, MEETING_ORDER, Facts, Meeting, Reply, Touch
from models.units import DAY, Duration, Millis
from models.windows import enters_horizon, horizon

JUDGED_AFTER = Duration(7 * DAY)
"""How long after its creation a lead without contact counts as never contacted."""

CLOSED_STAGES = frozenset({"customer", "disqualified"})
"""Stages that end the follow-up of a lead."""


class Dims(NamedTuple):
    """The dimension values that one occurrence is counted under; empty where it has none."""

    rep: str
    team: str
    lead_source: str
    channel: str = ""
    sentiment: str = ""


class Clock(NamedTuple):
    """One episode: an inquiry at `start`, its SLA's due time, its first attempt, and the next episode's start."""

    start: Millis
    target: Duration | None
    attempt: Touch | None
    until: Millis | None

    @property
    def due(self) -> Millis | None:
        """When it must have been answered; None where no SLA applies."""
        return self.after(BREACH_PERCENT)

    def after(self, percent: int) -> Millis | None:
        """When a share of its SLA has passed."""
        return None if self.target is None else Millis(self.start + self.target * percent // 100)

    def answered_by(self, at: Millis) -> bool:
        """Whether it was answered at or before an instant."""
        return self.attempt is not None and self.attempt.at <= at


class Contact(NamedTuple):
    """A moment at which both sides were there: a connected call, a reply, a held meeting."""

    at: Millis
    order: int
    id: str
    channel: str | None
    rep: str | None


class Story:
    """Derived views of a lead's facts, each worked out at most once."""

    def __init__(self, facts: Facts, rules: Rules, known_until: Millis) -> None:
        self.facts = facts
        self.rules = rules
        self.known_until = known_until
        self._owner_starts = [span.since for span in facts.owners]
        self._lead_source = rules.lead_source(facts.lead_source)

    def owner_at(self, at: Millis) -> str | None:
        """Who owned the lead at an instant."""
        index = bisect_right(self._owner_starts, at) - 1
        return self.facts.owners[index].value if index >= 0 else None

    @property
    def owner_now(self) -> str | None:
        """Who owns the lead as far as is known."""
        return self.facts.owners[-1].value if self.facts.owners else None

    def by(self, rep: str | None, at: Millis, channel: str | None = "") -> Dims:
        """The dimensions of what a rep did at an instant."""
        rules = self.rules
        return Dims(rules.rep(rep), rules.team(rep, at), self._lead_source, UNKNOWN if channel is None else channel)

    def owned(self, at: Millis, channel: str | None = "") -> Dims:
        """The dimensions of what nobody did: the owner's at that instant."""
        return self.by(self.owner_at(at), at, channel)

    def acted(self, rep: str | None, at: Millis, channel: str | None = "") -> Dims:
        """The dimensions of what a rep did, or, if nobody is named, the owner at that instant."""
        return self.by(self.owner_at(at) if rep is None else rep, at, channel)

    def level(self) -> Dims:
        """The dimensions of what is so now."""
        return self.by(self.owner_now, self.known_until)

    def unmarked(self, meeting: Meeting) -> bool:
        """Whether a meeting is past its grace and nobody has said how it went."""
        if meeting.outcome is not None or meeting.scheduled_at is None:
            return False
        return meeting.scheduled_at + self.rules.meeting_grace_ms <= self.known_until

    def held(self, meeting: Meeting) -> bool:
        """Whether a meeting took place; the rules may say that unmarked ones did."""
        if meeting.scheduled_at is None:
            return False
        return meeting.outcome == "held" or (self.rules.unmarked_meetings_count_as_held and self.unmarked(meeting))

    @cached_property
    def human_touches(self) -> list[Touch]:
        """Calls, emails and messages by a person."""
        return [touch for touch in self.facts.touches if not touch.automated]

    @cached_property
    def touches(self) -> list[Touch]:
        """Touches by a person, held meetings among them."""
        meetings = [
            Touch(meeting.scheduled_at, MEETING_ORDER, meeting.id, MEETING, meeting.rep, connected=True)
            for meeting in self.facts.meetings
            if meeting.scheduled_at is not None and self.held(meeting)
        ]
        return sorted(self.human_touches + meetings) if meetings else self.human_touches

    @cached_property
    def human_replies(self) -> list[Reply]:
        """Replies proper: no out-of-office notes, bounces or unsubscribes."""
        return [reply for reply in self.facts.replies if reply.kind == "human"]

    @cached_property
    def attempts(self) -> list[Touch]:
        """What stops a clock: human touches, and meetings that a rep booked, at the booking."""
        bookings = [
            Touch(meeting.booked_at, MEETING_ORDER, meeting.id, MEETING, meeting.rep)
            for meeting in self.facts.meetings
            if meeting.booked_at is not None and meeting.rep is not None
        ]
        return sorted(self.human_touches + bookings) if bookings else self.human_touches

    @cached_property
    def contacts(self) -> list[Contact]:
        """Two-way contacts in order of time."""
        found = [
            Contact(touch.at, touch.order, touch.id, touch.channel, touch.rep)
            for touch in self.touches
            if touch.channel == MEETING or (touch.channel == "call" and touch.connected)
        ]
        found += [
            Contact(reply.at, reply.order, reply.id, reply.channel, self.owner_at(reply.at)) for reply in self.human_replies
        ]
        return sorted(found, key=lambda contact: contact[:3])

    @cached_property
    def clocks(self) -> list[Clock]:
        """The lead's episodes: each starts at the first inquiry after the last one was answered."""
        clocks: list[Clock] = []
        inquiries, attempts = self.facts.inquiries, self.attempts
        position = 0
        while position < len(inquiries):
            start = inquiries[position]
            attempt = next((attempt for attempt in attempts if attempt.at >= start), None)
            position = len(inquiries) if attempt is None else bisect_right(inquiries, attempt.at)
            until = inquiries[position] if position < len(inquiries) else None
            clocks.append(Clock(start, self._target(start), attempt, until))
        return clocks

    def _target(self, start: Millis) -> Duration | None:
        team = self.rules.team(self.owner_at(start), start)
        return self.rules.sla_target(start, team, self.facts.lead_source, self.facts.segment)

    @property
    def waiting(self) -> Clock | None:
        """The clock that is still open; only the last one can be."""
        last = self.clocks[-1] if self.clocks else None
        return last if last is not None and last.attempt is None else None

    def contact_of(self, clock: Clock) -> Contact | None:
        """The first two-way contact within an episode."""
        return next(
            (
                contact
                for contact in self.contacts
                if contact.at >= clock.start and (clock.until is None or contact.at < clock.until)
            ),
            None,
        )

    def assigned_at(self, clock: Clock, answered_at: Millis) -> Millis:
        """When the lead of an answered clock got an owner: at the latest with the answer itself."""
        if self.owner_at(clock.start) is not None:
            return clock.start
        since = (span.since for span in self.facts.owners if span.since > clock.start and span.value is not None)
        return min(next(since, answered_at), answered_at)

    def touch_answered_by(self, reply: Reply) -> Touch | None:
        """The touch that a reply answers: the one it names, else the latest before it on its channel, else on any."""
        before = [touch for touch in self.facts.touches if touch.at <= reply.at]
        named = [touch for touch in before if touch.id == reply.in_reply_to]
        alike = [touch for touch in before if touch.channel == reply.channel]
        candidates = named or alike or before
        return candidates[-1] if candidates else None

    @cached_property
    def replied_touches(self) -> frozenset[str]:
        """The ids of touches that got a reply."""
        answered = (self.touch_answered_by(reply) for reply in self.human_replies)
        return frozenset(touch.id for touch in answered if touch is not None)

    @cached_property
    def first_touch(self) -> Touch | None:
        """The first touch that reached out: by a person, or automated and delivered."""
        automated = [touch for touch in self.facts.touches if touch.automated and touch.delivered]
        return min((*self.touches[:1], *automated[:1]), default=None)

    @cached_property
    def replies_to_first_touch(self) -> list[Reply]:
        """Replies at or after the first touch."""
        first = self.first_touch
        return [] if first is None else [reply for reply in self.human_replies if reply.at >= first.at]

    @cached_property
    def closed_at(self) -> Millis | None:
        """When the lead first became a customer or was disqualified."""
        return next((span.since for span in self.facts.stages if span.value in CLOSED_STAGES), None)

    def next_change(self) -> Millis | None:
        """The earliest instant after `known_until` at which contributions change by time alone."""
        return min((at for at in self._turning_points() if at > self.known_until), default=None)

    def _turning_points(self) -> list[Millis]:
        points: list[Millis] = []
        for clock in self.clocks:
            shares = (clock.after(percent) for percent in ALERT_PERCENTS)
            points += [at for at in shares if at is not None and not clock.answered_by(at)]
        if self.facts.created_at is not None:
            points.append(Millis(self.facts.created_at + JUDGED_AFTER))
        for meeting in self.facts.meetings:
            if meeting.outcome is None and meeting.scheduled_at is not None:
                points.append(Millis(meeting.scheduled_at + self.rules.meeting_grace_ms))
        end = horizon(self.known_until)
        points += [enters_horizon(touch.at) for touch in self.touches if touch.at >= end]
        if self.waiting is not None:
            change = self.rules.next_team_change(self.owner_now, self.known_until)
            points += [] if change is None else [change]
        return points


@lru_cache(maxsize=65_536)
def slices_of(names: tuple[str, ...], dims: Dims) -> tuple[str, ...]:
    """The slices that an occurrence is counted in: the whole (the empty name) and one `dim=value` for each named dimension."""
    return ("", *(f"{name}={getattr(dims, name)}" for name in names))
