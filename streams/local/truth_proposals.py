"""The oracle's reading of proposals, of nurtures, and of leads that one is in conversation with."""

from collections.abc import Iterator

from streams.local.truth_acts import MEETING
from streams.local.truth_facts import is_connected
from streams.local.truth_findings import Findings
from streams.local.truth_funnel import reached_at
from streams.local.truth_ledger import Dims
from streams.local.truth_linear import Formula
from streams.local.truth_section import Section, Told

_COUNTS = [
    *("proposals_sent", "proposals_signed", "proposals_closed", "leads_in_conversation"),
    *("touches_with_customers", "nurtures", "nurtures_converted"),
]
_RATIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "closing_ratio": ("proposals_closed", ("proposals_sent",)),
    "match_ratio": ("proposals_sent", ("leads_in_conversation",)),
    "conversions_by_nurture_ratio": ("nurtures_converted", ("nurtures",)),
}
_FORMULAS = {
    "client_engagement_mean": Formula("mean", {"touches_with_customers": 1}, {"customers": 1}),
}
PROPOSALS = Section(counts=_COUNTS, ratios=_RATIOS, daily={*_COUNTS, *_RATIOS, *_FORMULAS}, formulas=_FORMULAS)


def told_by_proposals(found: Findings) -> Iterator[Told]:
    """What was offered, at the sending and at the signing."""
    for proposal in found.lead.proposals:
        sent_at, signed_at = proposal.get("sent_at"), proposal.get("signed_at")
        if sent_at is not None:
            dims = found.dims(found.seller(proposal, sent_at), sent_at)
            yield Told("proposals_sent", sent_at, dims)
            if signed_at is not None:
                yield Told("proposals_closed", sent_at, dims)
        if signed_at is not None:
            yield Told("proposals_signed", signed_at, found.dims(found.seller(proposal, signed_at), signed_at))


def told_by_nurtures(found: Findings) -> Iterator[Told]:
    """Who was put on which track, and whether it became a customer from then on."""
    customer_at = reached_at(found.lead, "customer")
    for nurture in found.lead.nurtures:
        at = nurture.get("entered_at")
        if at is None:
            continue
        dims = found.by_owner(at) | found.rules.of_list("nurture_track", nurture.get("track"))
        yield Told("nurtures", at, dims)
        if customer_at is not None and customer_at >= at:
            yield Told("nurtures_converted", at, dims)


def told_by_engagement(found: Findings) -> Iterator[Told]:
    """`touches_with_customers`: touches by a person while the lead's stage was customer."""
    for act in found.by_person:
        stages = [stage for since, stage in found.lead.stages if since <= act.at]
        if stages[-1:] == ["customer"]:
            yield Told("touches_with_customers", act.at, found.by_actor(act, channel=True))


def conversations(found: Findings) -> Iterator[tuple[int, Dims]]:
    """When one was in conversation: calls that connected, replies that a person followed, and meetings held."""
    for touch in found.human_touches:
        if is_connected(touch):
            yield touch["at"], found.by_actor(found.touch_act(touch), channel=False)
    for reply in found.human_replies:
        if any(touch["at"] > reply["at"] for touch in found.human_touches):
            yield reply["at"], found.by_owner(reply["at"])
    for act in found.by_person:
        if act.rank == MEETING:
            yield act.at, found.by_actor(act, channel=False)
