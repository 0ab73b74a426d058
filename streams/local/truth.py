"""The oracle: what every series must say, from nothing but the events, the rules and the clock.

It shares no code with the engine and none of its ideas: no state, no differences, no panes, no sketches. Each lead is read
as a whole and every definition of the catalogue is written as a loop over its facts, so that a reader can check one against
the other. Instants and spans are whole milliseconds; D (`known_until`) is where what time alone changes stands.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

from streams.local.truth_facts import Json, Lead, Rules, leads_of, rules_of
from streams.local.truth_gauges import Dims, Gauges, Ledger, Slice, gauges_of

DAY_MS = 86_400_000
PANE_MS = 10_000
BEHIND_MS = 2_000
"""How far D lies behind the clock."""

TOUCH, REPLY, MEETING = 0, 1, 2
"""The order of what happens at the same instant."""


class Act(NamedTuple):
    """Something done at an instant, by `rep` where that is known."""

    at: int
    rank: int
    id: str
    rep: str | None
    channel: str
    said: tuple[Any, ...] = ()
    """What a touch says beside that: it decides at the same instant, where all else goes by id."""


class Clock(NamedTuple):
    """A wait for an answer: from an inquiry, until the first attempt at or after it."""

    start: int
    answer: Act | None
    until: float
    due: int | None


def ledger_of(events: Iterable[Json], rules: Rules, clock: int) -> Ledger:
    """What all events together say happened, as known at a clock in ms."""
    ledger = Ledger(rules.pairs)
    for lead in leads_of(events):
        Case(lead, rules, clock, ledger).enter()
    return ledger


def truth(events: Iterable[Json], rules: Json, clock: int) -> Gauges:
    """Every series of the default Prometheus profile at a clock in ms.

    `events` are canonical events as sent, repeated and in any order; `rules` the tables of the configuration's TOML file.
    Keys are (metric name, frozenset of its labels' items); values are floats, or (exact value, relative tolerance).
    """
    parsed = rules_of(rules)
    return gauges_of(ledger_of(events, parsed, clock), parsed, clock)


class Case:
    """One lead under the definitions of the catalogue."""

    def __init__(self, lead: Lead, rules: Rules, clock: int, ledger: Ledger) -> None:
        self.lead = lead
        self.rules = rules
        self.ledger = ledger
        self.known_until = clock - BEHIND_MS
        self.horizon = clock // PANE_MS * PANE_MS + PANE_MS

    def enter(self) -> None:
        """Enter all that this lead adds to the numbers."""
        for clock in self.clocks:
            self.response(clock)
            self.contact(clock)
            self.service_level(clock)
        self.waiting()
        self.creation()
        self.attempts_until_reply()
        self.first_meeting()
        self.activity()
        self.appointments()
        self.outreach()
        self.inbox()

    # --- who and where -----------------------------------------------------------------------------------------------

    def dims(self, rep: str | None, at: int, channel: str | None = None) -> Dims:
        """The slices of what `rep` is credited with at an instant."""
        named = {
            "rep": self.rules.rep(rep),
            "team": self.rules.team(rep, at),
            **self.rules.of_lead(self.lead.fields),
        }
        return named | ({"channel": channel} if channel is not None else {})

    def by_owner(self, at: int, channel: str | None = None) -> Dims:
        """The slices of what nobody does: the owner's at that instant."""
        return self.dims(self.lead.owner(at), at, channel)

    def by_actor(self, act: Act, *, channel: bool) -> Dims:
        """The slices of an act: of who acted, else the owner's at that instant."""
        rep = act.rep if act.rep is not None else self.lead.owner(act.at)
        return self.dims(rep, act.at, act.channel if channel else None)

    # --- what is there -----------------------------------------------------------------------------------------------

    @cached_property
    def touches(self) -> list[dict[str, Any]]:
        """Touch objects, automated ones too; only what has a time and a channel counts."""
        return [touch for touch in self.lead.touches if touch.get("at") is not None and touch.get("channel") is not None]

    def touch_act(self, touch: dict[str, Any]) -> Act:
        """A touch object as an act."""
        rep, channel = touch.get("rep"), touch["channel"]
        known = rep if rep in self.rules.roster else ""
        how = touch.get("delivered") is not False, bool(touch.get("connected")), bool(touch.get("automated"))
        return Act(touch["at"], TOUCH, touch["id"], rep, channel, (rep is not None, known, channel, how))

    @cached_property
    def human_touches(self) -> list[dict[str, Any]]:
        """Touch objects of persons."""
        return [touch for touch in self.touches if not touch.get("automated")]

    @cached_property
    def held_meetings(self) -> list[dict[str, Any]]:
        """Meetings that took place; unmarked ones too, once their grace is over, if the rules say so."""
        return [
            meeting
            for meeting in self.lead.meetings
            if meeting.get("scheduled_at") is not None
            and (meeting.get("outcome") == "held" or (self.is_unmarked(meeting) and self.rules.unmarked_is_held))
        ]

    def is_unmarked(self, meeting: dict[str, Any]) -> bool:
        """Whether nobody has said how it went though it should have been said by D."""
        over_at: int = meeting["scheduled_at"] + self.rules.grace_ms
        return meeting.get("outcome") is None and over_at <= self.known_until

    @cached_property
    def by_person(self) -> list[Act]:
        """Touches by a person: human touches and held meetings."""
        touches = [self.touch_act(touch) for touch in self.human_touches]
        meetings = [Act(held["scheduled_at"], MEETING, held["id"], held.get("rep"), "meeting") for held in self.held_meetings]
        return sorted(touches + meetings, key=order)

    @cached_property
    def replies(self) -> list[dict[str, Any]]:
        """All that came back, also what no person wrote, oldest first."""
        timed = [reply for reply in self.lead.replies if reply.get("at") is not None]
        return sorted(timed, key=lambda reply: (reply["at"], reply["id"]))

    @cached_property
    def human_replies(self) -> list[dict[str, Any]]:
        """Replies in the catalogue's sense, oldest first."""
        return [reply for reply in self.replies if (reply.get("kind") or "human") == "human"]

    @cached_property
    def contacts(self) -> list[Act]:
        """Two-way contacts: connected calls, replies, held meetings."""
        calls = [self.touch_act(touch) for touch in self.human_touches if is_connected(touch)]
        replies = [Act(reply["at"], REPLY, reply["id"], None, channel_of(reply)) for reply in self.human_replies]
        meetings = [act for act in self.by_person if act.rank == MEETING]
        return sorted(calls + replies + meetings, key=order)

    @cached_property
    def bookings(self) -> list[Act]:
        """Meetings by the instant of their booking."""
        booked = [meeting for meeting in self.lead.meetings if meeting.get("booked_at") is not None]
        return sorted((Act(each["booked_at"], MEETING, each["id"], each.get("rep"), "meeting") for each in booked), key=order)

    @cached_property
    def inquiries(self) -> list[int]:
        """When the lead asked: its creation, and each inquiry."""
        asked = [self.lead.created_at, *(inquiry.get("at") for inquiry in self.lead.inquiries)]
        return sorted(at for at in asked if at is not None)

    @cached_property
    def clocks(self) -> list[Clock]:
        """The waits, one after another: the next starts with the first inquiry after an answer."""
        attempts = [self.touch_act(touch) for touch in self.human_touches]
        answers = sorted(attempts + [act for act in self.bookings if act.rep is not None], key=order)
        clocks: list[Clock] = []
        starts = self.inquiries[:1]
        while starts:
            start = starts[0]
            answer = next((act for act in answers if act.at >= start), None)
            starts = [at for at in self.inquiries if answer is not None and at > answer.at][:1]
            clocks.append(Clock(start, answer, starts[0] if starts else float("inf"), self.due(start)))
        return clocks

    def due(self, start: int) -> int | None:
        """When a clock's SLA ends."""
        team = self.rules.team(self.lead.owner(start), start)
        target = self.rules.sla_ms(start, team, self.lead.fields["lead_source"], self.lead.fields["segment"])
        return None if target is None else start + target

    # --- 1. speed to lead and follow-up ------------------------------------------------------------------------------

    def response(self, clock: Clock) -> None:
        """`lead_response_time`, and its two parts `routing_delay` and `rep_delay`, at the attempt."""
        if clock.answer is None:
            return
        at = clock.answer.at
        self.ledger.add("lead_response_time", at, self.by_actor(clock.answer, channel=True), at - clock.start)
        assigned = at
        if self.lead.owner(clock.start) is not None:
            assigned = clock.start
        else:
            later = [since for since, owner in self.lead.owners if clock.start < since <= at and owner is not None]
            assigned = min(later, default=at)
        dims = self.by_actor(clock.answer, channel=False)
        self.ledger.add("routing_delay", at, dims, assigned - clock.start)
        self.ledger.add("rep_delay", at, dims, at - assigned)

    def contact(self, clock: Clock) -> None:
        """`lead_contact_time`: to the first two-way contact before the next clock starts, at the contact."""
        for act in self.contacts:
            if clock.start <= act.at < clock.until:
                self.ledger.add("lead_contact_time", act.at, self.by_actor(act, channel=True), act.at - clock.start)
                return

    def service_level(self, clock: Clock) -> None:
        """`response_within_sla_ratio`, `sla_warnings` and `sla_breaches`."""
        if clock.due is None:
            return
        answered_at = clock.answer.at if clock.answer else float("inf")
        if clock.answer and answered_at <= clock.due:
            self.ledger.add("responses_within_sla", clock.answer.at, self.by_actor(clock.answer, channel=False))
            self.ledger.add("clocks_ended", clock.answer.at, self.by_actor(clock.answer, channel=False))
        elif clock.due <= self.known_until:
            self.ledger.add("clocks_ended", clock.due, self.by_owner(clock.due))
        for percent, measure in ((50, "sla_warnings_50"), (80, "sla_warnings_80"), (100, "sla_breaches")):
            reached = clock.start + (clock.due - clock.start) * percent // 100
            if reached <= self.known_until and answered_at > reached:
                self.ledger.add(measure, reached, self.by_owner(reached))

    def waiting(self) -> None:
        """`leads_awaiting_response`, `leads_overdue` and `oldest_lead_waiting`: the last clock, if it is open."""
        if not self.clocks or self.clocks[-1].answer is not None:
            return
        start, _, _, due = self.clocks[-1]
        dims = self.dims(self.lead.owner_now, self.known_until)
        self.ledger.stand("leads_awaiting_response", dims)
        self.ledger.wait(start, float("inf") if due is None else due, dims)
        if due is not None and due <= self.known_until:
            self.ledger.stand("leads_overdue", dims)

    def creation(self) -> None:
        """`leads_followed_up_ratio` at the creation; `never_contacted_ratio` 7 days later, when it is judged."""
        created_at = self.lead.created_at
        if created_at is None:
            return
        self.ledger.add("leads_created", created_at, self.by_owner(created_at))
        if self.by_person:
            self.ledger.add("leads_followed_up", created_at, self.by_owner(created_at))
        judged_at = created_at + 7 * DAY_MS
        if judged_at <= self.known_until:
            self.ledger.add("leads_judged", judged_at, self.by_owner(judged_at))
            if not any(contact.at <= judged_at for contact in self.contacts):
                self.ledger.add("leads_never_contacted", judged_at, self.by_owner(judged_at))

    def attempts_until_reply(self) -> None:
        """`follow_up_attempts`: touches by a person up to the first reply, or to the close where none came."""
        closed = [since for since, stage in self.lead.stages if stage in {"customer", "disqualified"}]
        ends = [reply["at"] for reply in self.human_replies] or closed
        attempts = [act for act in self.by_person if ends and act.at <= min(ends)]
        if attempts:
            self.ledger.add("follow_up_attempts", min(ends), self.by_owner(min(ends)), len(attempts))
            self.ledger.add("follow_ups_ended", min(ends), self.by_owner(min(ends)))

    def first_meeting(self) -> None:
        """`time_to_first_meeting`: first inquiry to the first booking at or after it, whoever booked."""
        for booking in self.bookings:
            if self.inquiries and booking.at >= self.inquiries[0]:
                waited = booking.at - self.inquiries[0]
                self.ledger.add("time_to_first_meeting", booking.at, self.by_actor(booking, channel=False), waited)
                return

    # --- 2. activity -------------------------------------------------------------------------------------------------

    def activity(self) -> None:
        """`touches`, `calls`, `emails`, `messages`, `automated_touches` and what connected."""
        connected = {touch["id"] for touch in self.human_touches if is_connected(touch)} | self.answered_ids
        for act in self.by_person:
            self.ledger.add("touches", act.at, self.by_actor(act, channel=True))
            if act.channel == "meeting" or act.id in connected:
                self.ledger.add("touches_connected", act.at, self.by_actor(act, channel=True))
        for touch in self.human_touches:
            act = self.touch_act(touch)
            self.ledger.add(f"{act.channel}s", act.at, self.by_actor(act, channel=False))
            if is_connected(touch):
                self.ledger.add("calls_connected", act.at, self.by_actor(act, channel=False))
        for touch in self.touches:
            if touch.get("automated"):
                self.ledger.add("automated_touches", touch["at"], self.by_actor(self.touch_act(touch), channel=True))

    def answered_touch(self, reply: dict[str, Any]) -> dict[str, Any] | None:
        """The touch that a reply answers: the one it names, else the latest on its channel, else the latest."""
        before = sorted((t for t in self.touches if t["at"] <= reply["at"]), key=lambda t: order(self.touch_act(t)))
        named = [touch for touch in before if touch["id"] == reply.get("in_reply_to")]
        same_channel = [touch for touch in before if touch["channel"] == reply.get("channel")]
        candidates = named or same_channel or before
        return candidates[-1] if candidates else None

    @cached_property
    def answered_ids(self) -> set[str]:
        """The ids of the touches that some human reply answers."""
        answered = [self.answered_touch(reply) for reply in self.human_replies]
        return {touch["id"] for touch in answered if touch is not None}

    def appointments(self) -> None:
        """`meetings_booked` at the booking; held, no-show, cancelled, unmarked and `demos_held` at the scheduled time."""
        for booking in self.bookings:
            self.ledger.add("meetings_booked", booking.at, self.by_actor(booking, channel=False))
        for meeting in self.lead.meetings:
            if meeting.get("scheduled_at") is None:
                continue
            act = Act(meeting["scheduled_at"], MEETING, meeting["id"], meeting.get("rep"), "meeting")
            for measure in self.how_it_went(meeting):
                self.ledger.add(measure, act.at, self.by_actor(act, channel=False))

    def how_it_went(self, meeting: dict[str, Any]) -> list[str]:
        """The measures that count a meeting."""
        if meeting in self.held_meetings:
            return ["meetings_held", "demos_held"] if meeting.get("kind") == "demo" else ["meetings_held"]
        if self.is_unmarked(meeting):
            return ["meetings_unmarked"]
        return {"no_show": ["meeting_no_shows"], "cancelled": ["meetings_cancelled"]}.get(meeting.get("outcome") or "", [])

    # --- 3. replies --------------------------------------------------------------------------------------------------

    def outreach(self) -> None:
        """`leads_contacted`, and the cohorts of `leads_first_contacted` with what became of them."""
        self.last_contacted()
        delivered = [t for t in self.touches if t.get("automated") and t.get("delivered") is not False]
        entries = sorted(self.by_person + [self.touch_act(touch) for touch in delivered], key=order)
        if not entries:
            return
        first = entries[0]
        replied = [reply for reply in self.human_replies if reply["at"] >= first.at]
        bounced = not replied and any(reply.get("kind") == "bounce" for reply in self.replies)
        feelings = [reply["sentiment"] for reply in replied if reply.get("sentiment") is not None]
        cohorts = {
            "leads_first_contacted": True,
            "leads_first_reached": not bounced,
            "leads_replied": bool(replied),
            "leads_replied_positive": feelings[-1:] == ["positive"],
            "leads_replied_negative": feelings[-1:] == ["negative"],
        }
        for measure, belongs in cohorts.items():
            if belongs:
                self.ledger.add(measure, first.at, self.by_actor(first, channel=True))

    def last_contacted(self) -> None:
        """`leads_contacted`: once per slice, at the last touch in that slice before the end of the clock's 10 s."""
        last: dict[Slice, int] = {}
        for act in self.by_person:
            if act.at < self.horizon:
                last |= dict.fromkeys(self.ledger.slices(self.by_actor(act, channel=True)), act.at)
        for key, at in last.items():
            self.ledger.flows["leads_contacted", key].append((at, 1))

    def inbox(self) -> None:
        """`replies`, `bounces`, `opt_outs` and `reply_time`, at the reply."""
        for reply in self.replies:
            dims = self.by_owner(reply["at"], channel_of(reply))
            measures = {"human": "replies", "bounce": "bounces", "unsubscribe": "opt_outs"}
            measure = measures.get(reply.get("kind") or "human")
            if measure:
                by_feeling = {"sentiment": reply.get("sentiment") or "unknown"} if measure == "replies" else {}
                self.ledger.add(measure, reply["at"], dims | by_feeling)
            answered = self.answered_touch(reply) if measure == "replies" else None
            if answered is not None:
                self.ledger.add("reply_time", reply["at"], dims, reply["at"] - answered["at"])


def order(act: Act) -> tuple[int, int, tuple[Any, ...], str]:
    """Acts in time; of the same instant touches by what they say, then replies, then meetings, these by id."""
    return act.at, act.rank, act.said, act.id


def is_connected(touch: dict[str, Any]) -> bool:
    """Whether it is a call that reached the person."""
    return touch["channel"] == "call" and bool(touch.get("connected"))


def channel_of(reply: dict[str, Any]) -> str:
    """The channel of a reply as a value to slice by."""
    return reply.get("channel") or "unknown"
