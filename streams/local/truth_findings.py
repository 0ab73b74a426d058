"""What there is of one lead: what was done, by whom, and in which slices that counts."""

from functools import cached_property
from typing import Any

from streams.local.truth_acts import MEETING, REPLY, TOUCH, Act, order
from streams.local.truth_facts import Lead, Rules, channel_of, is_connected
from streams.local.truth_ledger import Dims


class Findings:
    """One lead, and what its facts say together."""

    def __init__(self, lead: Lead, rules: Rules, known_until: int) -> None:
        self.lead = lead
        self.rules = rules
        self.known_until = known_until

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

    def seller(self, deal: dict[str, Any], at: int) -> str | None:
        """Who is credited with a deal at an instant: its own rep, else the owner."""
        return self.lead.owner(at) if deal.get("rep") is None else deal["rep"]

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
    def first_prospecting(self) -> Act | None:
        """The first touch of all that prospect: by a person, or automated and delivered."""
        delivered = [t for t in self.touches if t.get("automated") and t.get("delivered") is not False]
        return min(self.by_person + [self.touch_act(touch) for touch in delivered], key=order, default=None)

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
