"""The oracle: what every series must say, from nothing but the events, the rules and the clock.

It shares no code with the engine and none of its ideas: no state, no differences, no panes, no sketches. Each lead is read
as a whole and every definition of the catalogue is written as a loop over its facts, so that a reader can check one against
the other. Instants and spans are whole milliseconds; D (`known_until`) is where what time alone changes stands.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

from streams.local.truth_acts import MEETING, Act, order
from streams.local.truth_business import business_span, passed_of
from streams.local.truth_companies import responded
from streams.local.truth_deals import further_dims, levels_of, told_by_deal
from streams.local.truth_facts import Lead, Rules, channel_of, is_connected, leads_of, rules_of
from streams.local.truth_findings import Findings
from streams.local.truth_funnel import reached_at, standing, told_by_stages
from streams.local.truth_gauges import Gauges, gauges_of
from streams.local.truth_ledger import Ledger
from streams.local.truth_record import Json
from streams.local.truth_sections import conversations, told_by_lead, told_by_others

DAY_MS = 86_400_000
PANE_MS = 10_000
BEHIND_MS = 2_000
"""How far D lies behind the clock."""


class Clock(NamedTuple):
    """A wait for an answer: from an inquiry, until the first attempt; when 50, 80, 100 % of its SLA (if any) have passed."""

    start: int
    answer: Act | None
    until: float
    passed: dict[int, float] | None


def ledger_of(events: Iterable[Json], rules: Rules, clock: int) -> Ledger:
    """What all events together say happened, as known at a clock in ms."""
    events, ledger = list(events), Ledger(rules.pairs)
    for lead in leads_of(events):
        Case(lead, rules, clock, ledger).enter()
    for told in told_by_others(events, rules, clock - BEHIND_MS):
        ledger.enter(told)
    for replies in responded(events, rules, clock - BEHIND_MS):
        ledger.distinct("companies_responded", replies, clock)
    return ledger


def truth(events: Iterable[Json], rules: Json, clock: int) -> Gauges:
    """Every series of the default Prometheus profile at a clock in ms.

    `events` are canonical events as sent, repeated and in any order; `rules` the tables of the configuration's TOML file.
    Keys are (metric name, frozenset of its labels' items); values are floats, or (exact value, relative tolerance).
    """
    parsed = rules_of(rules)
    return gauges_of(ledger_of(events, parsed, clock), parsed, clock)


class Case(Findings):
    """One lead under the definitions of the catalogue."""

    def __init__(self, lead: Lead, rules: Rules, clock: int, ledger: Ledger) -> None:
        super().__init__(lead, rules, clock - BEHIND_MS)
        self.ledger = ledger
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
        self.funnel()
        self.deals()
        for told in told_by_lead(self):
            self.ledger.enter(told)
        self.ledger.distinct("leads_in_conversation", conversations(self), self.horizon)

    # --- the waits ----------------------------------------------------------------------------------------------------

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
            clocks.append(Clock(start, answer, starts[0] if starts else float("inf"), self.passed(start)))
        return clocks

    def passed(self, start: int) -> dict[int, float] | None:
        """When which percents of a clock's SLA have passed."""
        team = self.rules.team(self.lead.owner(start), start)
        policy = self.rules.sla(start, team, self.lead.fields["lead_source"], self.lead.fields["segment"])
        return passed_of(self.lead, self.rules, start, policy)

    # --- 1. speed to lead and follow-up ------------------------------------------------------------------------------

    def response(self, clock: Clock) -> None:
        """`lead_response_time`, in business time, too, and its two parts `routing_delay` and `rep_delay`, at the attempt."""
        if clock.answer is None:
            return
        at = clock.answer.at
        self.ledger.add("lead_response_time", at, self.by_actor(clock.answer, channel=True), at - clock.start)
        business = business_span(self.lead, self.rules, clock.start, at)
        if business is not None:
            self.ledger.add("lead_response_time_business", at, self.by_actor(clock.answer, channel=True), business)
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
        if clock.passed is None:
            return
        due = clock.passed[100]
        answered_at = clock.answer.at if clock.answer else float("inf")
        if clock.answer and answered_at <= due:
            self.ledger.add("responses_within_sla", clock.answer.at, self.by_actor(clock.answer, channel=False))
            self.ledger.add("clocks_ended", clock.answer.at, self.by_actor(clock.answer, channel=False))
        elif due <= self.known_until:
            self.ledger.add("clocks_ended", int(due), self.by_owner(int(due)))
        for percent, measure in ((50, "sla_warnings_50"), (80, "sla_warnings_80"), (100, "sla_breaches")):
            reached = clock.passed[percent]
            if reached <= self.known_until and answered_at > reached:
                self.ledger.add(measure, int(reached), self.by_owner(int(reached)))

    def waiting(self) -> None:
        """`leads_awaiting_response`, `leads_overdue` and `oldest_lead_waiting`: the last clock, if it is open."""
        if not self.clocks or self.clocks[-1].answer is not None:
            return
        start, _, _, passed = self.clocks[-1]
        due = passed[100] if passed else float("inf")
        dims = self.dims(self.lead.owner_now, self.known_until)
        self.ledger.stand("leads_awaiting_response", dims)
        self.ledger.wait(start, due, dims)
        if due <= self.known_until:
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
        first = self.first_prospecting
        if first is None:
            return
        replied = [reply for reply in self.human_replies if reply["at"] >= first.at]
        bounced = not replied and any(reply.get("kind") == "bounce" for reply in self.replies)
        feelings = [reply["sentiment"] for reply in replied if reply.get("sentiment") is not None]
        customer_at = reached_at(self.lead, "customer")
        cohorts = {
            "leads_acquired": customer_at is not None and customer_at >= first.at,
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
        self.ledger.distinct(
            "leads_contacted", [(act.at, self.by_actor(act, channel=True)) for act in self.by_person], self.horizon
        )

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

    # --- 4. leads and funnel -----------------------------------------------------------------------------------------

    def funnel(self) -> None:
        """What stages tell; `outreach` tells of `leads_acquired`."""
        for measure, at, amount in told_by_stages(self.lead):
            self.ledger.add(measure, at, self.by_owner(at), amount)
        for level in standing(self.lead):
            self.ledger.stand(level, self.dims(self.lead.owner_now, self.known_until))

    # --- 5. deals ----------------------------------------------------------------------------------------------------

    def deals(self) -> None:
        """What deals tell, each by its rep, else by the owner."""
        touched_at = self.first_prospecting.at if self.first_prospecting else None
        for deal in self.lead.deals:
            for measure, at, amount in told_by_deal(deal, self.rules, touched_at):
                dims = self.dims(self.seller(deal, at), at) | further_dims(measure, deal, self.rules)
                self.ledger.add(measure, at, dims, amount)
            seller = self.lead.owner_now if deal.get("rep") is None else deal["rep"]
            for level, amount in levels_of(deal, self.rules):
                self.ledger.stand(level, self.dims(seller, self.known_until), amount)
