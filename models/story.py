"""The stories of many leads: what their facts amount to at an instant. Measures read this and nothing else.

What time alone changes (due, overdue, unmarked, judged) is derived here from the facts and `known_until`, never stored.
"""

from dataclasses import replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from models.accounts import Accounts
from models.campaigns import Campaigns
from models.codes import NEVER, NOBODY, Ints, Mask, rows_where
from models.deals import Deals
from models.employment import Employment
from models.promises import Promises
from models.rules import ALERT_PERCENTS, CHANNELS
from models.stages import CUSTOMER, DISQUALIFIED, Stages
from models.state.facts import OUTCOMES, REPLY_KINDS
from models.tables import Attempts, Clocks, Meetings, Occurrences, Replies, Table, in_order, merged
from models.units import DAY, Duration
from models.windows import RETENTION, Pane, enters_horizon, horizon

JUDGED_AFTER: Final = Duration(7 * DAY)
"""How long after its creation a lead without contact counts as never contacted."""

HUMAN, _, BOUNCE, UNSUBSCRIBE = range(len(REPLY_KINDS))
UNSAID, HELD, NO_SHOW, CANCELLED = range(len(OUTCOMES))
CALL, EMAIL, MESSAGE, MEETING = range(2, 2 + len(CHANNELS))
"""Codes of channels."""

_CHANNEL_CODES: Final = 2 + len(CHANNELS)


class Missed(NamedTuple):
    """Clocks unanswered when a share of their SLA had passed, and those moments as their owners have them, row by row."""

    clocks: Clocks
    moments: Occurrences


class Story(Stages, Deals, Promises, Accounts, Employment, Campaigns):
    """Derived views of some leads' facts, each worked out at most once."""

    # --- meetings

    @cached_property
    def booked(self) -> Meetings:
        """Meetings by when they were booked."""
        return in_order(self.all_meetings.where(self.all_meetings.booked_at != NEVER))

    @cached_property
    def scheduled(self) -> Meetings:
        """Meetings by when they are to be."""
        meetings = self.all_meetings.where(self.all_meetings.scheduled_at != NEVER)
        return in_order(replace(meetings, at=meetings.scheduled_at))

    @cached_property
    def unmarked(self) -> Mask:
        """Which scheduled meetings are past their grace though nobody has said how they went."""
        ended = self.scheduled.at + self.codes.rules.meeting_grace_ms <= self.known_until[self.scheduled.of]
        unmarked: Mask = (self.scheduled.outcome == UNSAID) & ended
        return unmarked

    @cached_property
    def held(self) -> Mask:
        """Which scheduled meetings took place; the rules may say that unmarked ones did."""
        held: Mask = self.scheduled.outcome == HELD
        return held | self.unmarked if self.codes.rules.unmarked_meetings_count_as_held else held

    # --- touches

    @cached_property
    def _human(self) -> Ints:
        return rows_where(~self.all_touches.automated)

    @cached_property
    def meetings_held(self) -> Meetings:
        """Scheduled meetings that took place: they count as touches."""
        return self.scheduled.where(self.held)

    @cached_property
    def touches(self) -> Occurrences:
        """Calls, emails and messages by a person, and held meetings."""
        return self._with_meetings(self._human)

    def _with_meetings(self, touches: Ints) -> Occurrences:
        """Some touch objects, and held meetings, which come after touches of the same instant."""
        some, held = self.all_touches.where(touches), self.meetings_held
        if not len(held):
            return self.acted(some, some.rep, some.channel)
        together, (rep, channel) = merged(
            (some, some.rep, some.channel), (held, held.rep, np.full(len(held), MEETING, np.int64))
        )
        return self.acted(together, rep, channel)

    @cached_property
    def automated_touches(self) -> Occurrences:
        """Sequence steps and auto-replies."""
        touches = self.all_touches.where(self.all_touches.automated)
        return self.acted(touches, touches.rep, touches.channel)

    @cached_property
    def connected_calls(self) -> Occurrences:
        """Calls by a person that reached theirs."""
        touches = self.all_touches
        calls = touches.where((touches.channel == CALL) & touches.connected & ~touches.automated)
        return self.acted(calls, calls.rep, calls.channel)

    @cached_property
    def connected_touches(self) -> Occurrences:
        """Of the touches by a person, those that reached theirs: connected, replied, held."""
        connected = (self.all_touches.channel == CALL) & self.all_touches.connected
        return self._with_meetings(rows_where((connected | self._replied) & ~self.all_touches.automated))

    @cached_property
    def first_touches(self) -> Occurrences:
        """The first touch of each lead that reached out: by a person, or automated and delivered."""
        touches = self._with_meetings(rows_where(~self.all_touches.automated | self.all_touches.delivered))
        first = touches.first()
        return touches.where(first[first >= 0])

    # --- replies

    @cached_property
    def human_replies(self) -> Replies:
        """Replies proper: no out-of-office notes, bounces or unsubscribes."""
        return self.all_replies.where(self.all_replies.kind == HUMAN)

    @cached_property
    def replies(self) -> Occurrences:
        """Replies proper, as their owners have them."""
        found = self.human_replies
        return replace(self.owned(found.of, found.at, found.channel), sentiment=found.sentiment)

    @cached_property
    def answered_touches(self) -> Ints:
        """The touch that each reply answers: the one it names, else the latest before it on its channel, else on any; or -1."""
        touches, replies = self.all_touches, self.human_replies
        if not len(touches):
            return np.full(len(replies), -1, np.int64)
        named = touches.starts[replies.of] + replies.answers
        names = (replies.answers >= 0) & (touches.instants(np.where(replies.answers >= 0, named, -1)) <= replies.at)
        alike = self._latest_on_channel(replies)
        return np.where(names, named, np.where(alike >= 0, alike, touches.last_until(replies.of, replies.at)))

    def _latest_on_channel(self, replies: Replies) -> Ints:
        touches = self.all_touches
        by_channel = Table(self.leads * _CHANNEL_CODES, touches.of * _CHANNEL_CODES + touches.channel, touches.at)
        order = np.argsort(by_channel.key, kind="stable")
        return by_channel.column(
            order, by_channel.where(order).last_until(replies.of * _CHANNEL_CODES + replies.channel, replies.at), -1
        )

    @cached_property
    def _replied(self) -> Mask:
        replied = np.zeros(len(self.all_touches), np.bool_)
        replied[self.answered_touches[self.answered_touches >= 0]] = True
        return replied

    @cached_property
    def first_touched_at(self) -> Ints:
        """When each lead was first touched, or NEVER."""
        at = np.full(self.leads, NEVER, np.int64)
        at[self.first_touches.of] = self.first_touches.at
        return at

    @cached_property
    def replies_to_first_touch(self) -> Replies:
        """Replies at or after the first touch."""
        return self.human_replies.where(self.human_replies.at >= self.first_touched_at[self.human_replies.of])

    def among(self, of: Ints) -> Mask:
        """Which leads are among some."""
        mask = np.zeros(self.leads, np.bool_)
        mask[of] = True
        return mask

    @cached_property
    def bounced(self) -> Mask:
        """Which leads had a message come back undeliverable."""
        return self.among(self.all_replies.of[self.all_replies.kind == BOUNCE])

    # --- clocks

    @cached_property
    def attempts(self) -> Attempts:
        """What stops a clock: human touches, and meetings that a rep booked, at the booking."""
        touches = self.all_touches.where(self._human)
        bookings = self.booked.where(self.booked.rep != NOBODY)
        if not len(bookings):
            return Attempts(self.leads, touches.of, touches.at, touches.rep, touches.channel)
        meeting = np.full(len(bookings), MEETING, np.int64)
        together, (rep, channel) = merged((touches, touches.rep, touches.channel), (bookings, bookings.rep, meeting))
        return Attempts(self.leads, together.of, together.at, rep, channel)

    @cached_property
    def clocks(self) -> Clocks:
        """The leads' episodes."""
        row = self.inquiries.first()
        of = rows_where(row >= 0)
        row = row[of]
        found: list[tuple[Ints, ...]] = []
        while len(of) or not found:
            start = self.inquiries.at[row]
            attempt = self.attempts.first_from(of, start)
            answered_at = self.attempts.instants(attempt)
            following = self.inquiries.first_after(of, answered_at)
            found.append((of, start, attempt, answered_at, self.inquiries.instants(following)))
            more = following >= 0
            of, row = of[more], following[more]
        return self._timed(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def _timed(self, of: Ints, start: Ints, attempt: Ints, answered_at: Ints, until: Ints) -> Clocks:
        promise = self.promised(of, start)
        return in_order(Clocks(self.leads, of, start, attempt, answered_at, until, *promise))

    @cached_property
    def answered(self) -> Clocks:
        """The episodes that were answered."""
        return self.clocks.where(self.clocks.attempt >= 0)

    @cached_property
    def answers(self) -> Occurrences:
        """The attempts that answered them, row by row."""
        attempts = self.attempts.where(self.answered.attempt)
        return self.acted(attempts, attempts.rep, attempts.channel)

    @cached_property
    def assigned_at(self) -> Ints:
        """When the leads of answered clocks got an owner: at the latest with the answer itself."""
        clocks, owners = self.answered, self.owners
        named = Table(self.leads, owners.of, owners.at).where(owners.value != NOBODY)
        later = np.minimum(named.instants(named.first_after(clocks.of, clocks.at)), clocks.answered_at)
        return np.where(self.owner_at(clocks.of, clocks.at) != NOBODY, clocks.at, later)

    @cached_property
    def misses(self) -> dict[int, "Missed"]:
        """By each share of an SLA that is told: the clocks that nobody had answered when it had passed."""
        return {percent: self._missed(percent) for percent in ALERT_PERCENTS}

    def _missed(self, percent: int) -> "Missed":
        at = self.clocks.after(percent)
        rows = rows_where((at <= self.known_until[self.clocks.of]) & (self.clocks.answered_at > at))
        return Missed(self.clocks.where(rows), self.owned(self.clocks.of[rows], at[rows]))

    @cached_property
    def open_clocks(self) -> Clocks:
        """The clocks that nobody has answered; only a lead's last one can be open."""
        return self.clocks.where(self.clocks.attempt < 0)

    # --- contacts

    @cached_property
    def contacts(self) -> Occurrences:
        """Two-way contacts: connected calls, replies, held meetings."""
        calls, replies, held = self.connected_calls, self.human_replies, self.meetings_held
        together, (rep, channel) = merged(
            (calls, calls.rep, calls.channel),
            (replies, np.zeros(len(replies), np.int64), replies.channel),
            (held, held.rep, np.full(len(held), MEETING, np.int64)),
        )
        return self.acted(together, rep, channel)

    @cached_property
    def first_contacts(self) -> Occurrences:
        """The first contact within each episode; how long after its start."""
        clocks, contacts = self.clocks, self.contacts
        row = contacts.first_from(clocks.of, clocks.at)
        within = rows_where((row >= 0) & (contacts.instants(row) < clocks.until))
        found = contacts.where(row[within])
        return replace(found, value=found.at - clocks.at[within])

    # --- leads

    @cached_property
    def created(self) -> Occurrences:
        """Leads at their creation."""
        of = rows_where(self.created_at != NEVER)
        return self.owned(of, self.created_at[of])

    @cached_property
    def judged(self) -> Occurrences:
        """Leads at the moment at which it is judged whether they were contacted."""
        at = self.created_at + JUDGED_AFTER
        of = rows_where((self.created_at != NEVER) & (at <= self.known_until))
        return self.owned(of, at[of])

    @cached_property
    def closed_at(self) -> Ints:
        """When each lead first became a customer or was disqualified, or NEVER."""
        closing = (self.stages.value == CUSTOMER) | (self.stages.value == DISQUALIFIED)
        closed = Table(self.leads, self.stages.of, self.stages.at).where(closing)
        return closed.instants(closed.first())

    @cached_property
    def followed_up_until(self) -> Ints:
        """When each lead's follow-up by a person ended, by the first reply or else by the close, or NEVER."""
        first_reply = self.human_replies.instants(self.human_replies.first())
        return np.where(first_reply != NEVER, first_reply, self.closed_at)

    @cached_property
    def follow_ups(self) -> Occurrences:
        """Leads whose follow-up by a person ended; how many touches it took."""
        ended_at = self.followed_up_until
        attempts = self.touches.counted_until(self.everyone, ended_at) + self.left_out
        of = rows_where((ended_at != NEVER) & (attempts > 0))
        return replace(self.owned(of, ended_at[of]), value=attempts[of])

    @cached_property
    def first_bookings(self) -> Occurrences:
        """The first meeting booked at or after each lead's first inquiry; how long after it."""
        inquired_at = self.inquiries.instants(self.inquiries.first())
        row = self.booked.first_from(self.everyone, inquired_at)
        of = rows_where(row >= 0)
        bookings = self.booked.where(row[of])
        return replace(self.acted(bookings, bookings.rep), value=bookings.at - inquired_at[of])

    # --- the end

    @cached_property
    def last_at(self) -> Ints:
        """The latest instant in what stands of each lead; 0 where nothing does."""
        meetings = self.all_meetings
        instants = (
            (self.everyone, self.created_at),
            *((table.of, table.at) for table in (self.inquiries, self.stages, self.all_touches, self.all_replies)),
            (meetings.of, meetings.booked_at),
            (meetings.of, meetings.scheduled_at),
            *self.deal_instants,
        )
        latest = np.zeros(self.leads, np.int64)
        for of, at in instants:
            known = at != NEVER
            np.maximum.at(latest, of[known], at[known])
        return latest

    @cached_property
    def ends_at(self) -> Ints:
        """When no object of each lead is in a number any more; NEVER where that is so already, or nothing stands."""
        followed = np.maximum(self.last_at, self.last_due(self.clocks))
        ends = np.where(self.last_at > self.retired_until, followed + self._lasting, NEVER)
        ends[self.open_clocks.of] = NEVER
        ends[self.sellers[0]] = NEVER
        return ends

    @cached_property
    def _lasting(self) -> int:
        """How long the last instant of a lead can matter: what follows from it by time alone, and as long as panes are kept."""
        rules = self.codes.rules
        following = max(JUDGED_AFTER, rules.meeting_grace_ms, *(policy.target_ms for policy in rules.sla), 0)
        return following + RETENTION[Pane.DAY] + 2 * DAY

    # --- time

    @cached_property
    def horizon(self) -> Ints:
        """The end of the ten-second pane in which each lead's clock stands."""
        return horizon(self.known_until)

    @cached_property
    def next_change(self) -> Ints:
        """The earliest instant after `known_until` at which each lead's contributions change by time alone, or NEVER."""
        earliest = np.full(self.leads, NEVER, np.int64)
        for of, at in self._turning_points():
            ahead = at > self.known_until[of]
            np.minimum.at(earliest, of[ahead], at[ahead])
        return earliest

    def _turning_points(self) -> list[tuple[Ints, Ints]]:
        clocks = self.clocks
        points = []
        for percent in ALERT_PERCENTS:
            at = clocks.after(percent)
            unanswered = clocks.answered_at > at
            points.append((clocks.of[unanswered], at[unanswered]))
        created = self.created_at != NEVER
        points.append((self.everyone[created], self.created_at[created] + JUDGED_AFTER))
        unsaid = self.scheduled.where(self.scheduled.outcome == UNSAID)
        points.append((unsaid.of, unsaid.at + self.codes.rules.meeting_grace_ms))
        ahead = self.touches.where(self.touches.at >= self.horizon[self.touches.of])
        points.append((ahead.of, enters_horizon(ahead.at)))
        replies = self.human_replies.where(self.human_replies.at >= self.horizon[self.human_replies.of])
        points.append((replies.of, enters_horizon(replies.at)))
        present = np.flatnonzero(self.known | self.among(self.open_clocks.of))
        points.append((present, self.codes.next_team_changes(self.owner_now[present], self.known_until[present])))
        selling, sellers = self.sellers
        points.append((selling, self.codes.next_team_changes(sellers, self.known_until[selling])))
        points.append((self.everyone, self.ends_at))
        if self._others:
            points += [*self.account_turns, *self.employment_turns, *self.quote_turns]
        return points
