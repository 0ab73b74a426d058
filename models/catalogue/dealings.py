"""What deals have to do with products, proposals, demos, touches and costs. More of sections 5, 2, 4 and 8 of the catalogue."""

from models import dealings
from models.catalogue.customers import accounts_added, customers
from models.catalogue.deals import REVENUES, deals_lost, deals_won, revenue
from models.catalogue.marketing import COMPETITOR_PRICE, marketing_spend, sdr_spend
from models.kpis import Figure, count, derived, latency, mean, ratio
from models.measures import OF_ACCOUNTS, OF_CAMPAIGNS, USUAL, WITH_CHANNEL, Measure, Options, distinct, duration, flow
from models.story import Story
from models.tables import Occurrences

DEALS: Options = {"daily": True, "reads": ("deals",)}
DRILLED: Options = {**DEALS, "drill": True}
MONEY: Options = {**DEALS, "money": True}
LINES: Options = {"daily": True, "reads": ("lines",)}
WORTH: Options = {**LINES, "money": True}
PROPOSALS: Options = {"daily": True, "reads": ("proposals",)}
TOUCHED: Options = {"daily": True, "reads": ("deals", "touches", "meetings"), "timed": True}
ATTRIBUTED: Options = {**TOUCHED, "money": True}
DEMOS: Options = {"daily": True, "reads": ("deals", "meetings"), "timed": True}
NURTURES: Options = {"daily": True, "reads": ("nurtures", "stages")}
OF_PRODUCTS = (*USUAL, "product")
OF_TRACKS = (*USUAL, "nurture_track")


# --- what is sold


@flow(OF_PRODUCTS, **LINES)
def orders(story: Story) -> Occurrences:
    """Lines of deals that were won, at the close."""
    return story.sold()


@flow(OF_PRODUCTS, **LINES)
def units_sold(story: Story) -> Occurrences:
    """Units in the lines of deals that were won, at the close."""
    return story.sold("quantity")


@flow(OF_PRODUCTS, **WORTH)
def product_revenue(story: Story) -> Occurrences:
    """What the lines of deals that were won are worth, units times price, at the close."""
    return story.sold("worth")


@flow(**DEALS)
def upsell_deals_won(story: Story) -> Occurrences:
    """Deals of the kind upsell that were won, at their close."""
    return story.deals_at("closed", story.won_as("upsell"))


@flow(**DEALS)
def cross_sell_deals_won(story: Story) -> Occurrences:
    """Deals of the kind cross_sell that were won, at their close."""
    return story.deals_at("closed", story.won_as("cross_sell"))


@flow(**MONEY)
def converted_revenue(story: Story) -> Occurrences:
    """The amounts of the first deals that leads won, at their close."""
    return story.worth_at("closed", "closed", story.first_wins)


@flow(**MONEY)
def outbound_revenue(story: Story) -> Occurrences:
    """The amounts of deals won of outbound leads, at their close."""
    won = story.worth_at("closed", "closed", story.won)
    return won.of_those(story.of_leads["lead_source"] == story.codes.outbound)


@flow(**DRILLED)
def referral_clients(story: Story) -> Occurrences:
    """Leads that came by a recommendation, at the close of the first deal that they won."""
    won = story.deals_at("closed", story.first_wins)
    return won.of_those(story.from_referral)


@flow(OF_CAMPAIGNS, **ATTRIBUTED)
def attributed_revenue(story: Story) -> Occurrences:
    """The amounts of deals won, at their close, by where the lead came from and the channel of its first touch."""
    return dealings.attributed(story)


# --- proposals


@flow(**PROPOSALS)
def proposals_sent(story: Story) -> Occurrences:
    """Proposals, when they are sent."""
    return story.proposals("sent")


@flow(**PROPOSALS)
def proposals_signed(story: Story) -> Occurrences:
    """Proposals, when they are signed."""
    return story.proposals("signed")


@flow(**PROPOSALS)
def proposals_closed(story: Story) -> Occurrences:
    """Proposals that are signed, when they were sent."""
    return story.proposals("sent", signed=True)


@distinct(OF_ACCOUNTS, daily=True)
def leads_in_conversation(story: Story) -> Occurrences:
    """Distinct leads with whom somebody talked (connected calls, answered replies, meetings held), at the last one."""
    return dealings.conversations(story)


# --- demos and touches


@flow(**DEMOS)
def demos_deals(story: Story) -> Occurrences:
    """Deals whose lead had a demo held before their end, at the lead's first one."""
    return dealings.demonstrated(story, story.reached_by_deals("created"))


@flow(**DEMOS)
def demos_deals_won(story: Story) -> Occurrences:
    """Of these deals those that are won, at the same instant."""
    return dealings.demonstrated(story, story.won)


@flow(WITH_CHANNEL, **TOUCHED)
def touches_on_deals_won(story: Story) -> Occurrences:
    """Touches by a person on the lead of a deal that is won, up to its close, at that."""
    return dealings.touches_until(story, story.deals_at("closed", story.won))


@flow(WITH_CHANNEL, **TOUCHED)
def touches_on_deals_lost(story: Story) -> Occurrences:
    """Touches by a person on the lead of a deal that is lost, up to its close, at that."""
    return dealings.touches_until(story, story.deals_at("closed", story.lost))


@flow(WITH_CHANNEL, daily=True, reads=("touches", "meetings", "stages"), timed=True)
def touches_with_customers(story: Story) -> Occurrences:
    """Touches by a person with leads that were customers at the touch."""
    return dealings.touches_of_customers(story)


@duration(daily=True, reads=("deals", "inquiries", "touches", "replies"))
def customer_lifecycle_time(story: Story) -> Occurrences:
    """From when a lead was first seen to the close of the first deal that it won, at that."""
    return dealings.lifecycles(story)


# --- nurture tracks


@flow(OF_TRACKS, **NURTURES)
def nurtures(story: Story) -> Occurrences:
    """Leads put on a nurture track, then."""
    return dealings.nurtured(story, converted=False)


@flow(OF_TRACKS, **NURTURES)
def nurtures_converted(story: Story) -> Occurrences:
    """Leads that became customers after they were put on a nurture track, at the instant at which they were."""
    return dealings.nurtured(story, converted=True)


MEASURES: tuple[Measure, ...] = (
    orders,
    units_sold,
    product_revenue,
    upsell_deals_won,
    cross_sell_deals_won,
    converted_revenue,
    outbound_revenue,
    referral_clients,
    attributed_revenue,
    proposals_sent,
    proposals_signed,
    proposals_closed,
    leads_in_conversation,
    demos_deals,
    demos_deals_won,
    touches_on_deals_won,
    touches_on_deals_lost,
    touches_with_customers,
    customer_lifecycle_time,
    nurtures,
    nurtures_converted,
)

_UPSELL, _CROSS_SELL = REVENUES[1:]

CLOSING = ratio("closing_ratio", proposals_closed / proposals_sent)
MATCH = ratio("match_ratio", proposals_sent / leads_in_conversation)
UNIT_PRICE = mean("unit_price_mean", product_revenue / units_sold)

KPIS: tuple[Figure, ...] = (
    *(count(each) for each in MEASURES if each is not customer_lifecycle_time),
    UNIT_PRICE,
    derived(
        "competitor_price_index",
        "unit_price_mean ÷ the mean price that competitors were last heard to ask",
        (UNIT_PRICE,),
        (COMPETITOR_PRICE,),
        only=("90d",),
    ),
    mean("unit_cost_mean", marketing_spend / units_sold),
    ratio("upsell_ratio", upsell_deals_won / customers),
    ratio("cross_sell_ratio", cross_sell_deals_won / customers),
    ratio("upsell_revenue_ratio", _UPSELL / revenue),
    ratio("cross_sell_revenue_ratio", _CROSS_SELL / revenue),
    ratio("lead_revenue_share", converted_revenue / revenue),
    ratio("lead_value_to_cost_ratio", converted_revenue / marketing_spend),
    ratio("marketing_roi", (attributed_revenue - marketing_spend) / marketing_spend),
    ratio("sdr_roi", outbound_revenue / sdr_spend),
    CLOSING,
    MATCH,
    derived("match_win_ratio", "closing_ratio × match_ratio", (CLOSING, MATCH)),
    derived("expected_accounts", "accounts_added × match_ratio", (count(accounts_added), MATCH)),
    ratio("demo_close_ratio", demos_deals_won / demos_deals),
    mean("touches_per_deal_won_mean", touches_on_deals_won / deals_won),
    mean("touches_per_deal_lost_mean", touches_on_deals_lost / deals_lost),
    mean("client_engagement_mean", touches_with_customers / customers),
    ratio("conversions_by_nurture_ratio", nurtures_converted / nurtures),
    *latency(customer_lifecycle_time),
)
