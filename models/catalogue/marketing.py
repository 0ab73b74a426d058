"""Marketing and market: what campaigns cost and bring, and what competitors ask. Section 8 of the catalogue."""

from models.catalogue.customers import LIFETIME_VALUE, new_customers
from models.catalogue.funnel import STAGE_ENTRIES
from models.catalogue.speed import leads_created
from models.kpis import Figure, board, count, derived, level_now, mean, ratio
from models.measures import OF_CAMPAIGNS, Measure, Options, flow, level, named
from models.state.campaigns import COUNTED
from models.story import Story
from models.tables import Occurrences

CAMPAIGNS: Options = {"daily": True, "reads": ("campaign",)}
SPENT: Options = {**CAMPAIGNS, "money": True}
QUOTES: Options = {"reads": ("campaign",), "timed": True}
PRICES: Options = {**QUOTES, "money": True}
OF_QUOTES = ("product", "competitor")


def _spend(category: str, name: str, text: str) -> Measure:
    return flow(OF_CAMPAIGNS, **SPENT)(named(name, text, lambda story: story.spent(category)))


def _counted(what: str) -> Measure:
    text = f"The {what.replace('_', '-')} of campaigns, on their days."
    return flow(OF_CAMPAIGNS, **CAMPAIGNS)(named(what, text, lambda story: story.counted_on_days(what)))


marketing_spend = _spend("marketing", "marketing_spend", "What was spent on marketing, on its day.")
sales_spend = _spend("sales", "sales_spend", "What was spent on sales, but for the SDR team, on its day.")
sdr_spend = _spend("sdr", "sdr_spend", "What was spent on the SDR team, on its day.")

COUNTS = {what: _counted(what) for what in COUNTED}


@level(OF_QUOTES, **QUOTES)
def competitor_quotes(story: Story) -> Occurrences:
    """Prices that competitors were last heard to ask, one for each product and competitor of a campaign, now."""
    return story.quotes_now(price=False)


@level(OF_QUOTES, **PRICES)
def competitor_prices(story: Story) -> Occurrences:
    """The same prices, added up, now."""
    return story.quotes_now(price=True)


MEASURES: tuple[Measure, ...] = (
    marketing_spend,
    sales_spend,
    sdr_spend,
    *COUNTS.values(),
    competitor_quotes,
    competitor_prices,
)

ACQUISITION_COST = mean("customer_acquisition_cost", (marketing_spend + sales_spend) / new_customers)
COMPETITOR_PRICE = mean("competitor_price_mean", competitor_prices / competitor_quotes)

KPIS: tuple[Figure, ...] = (
    *map(count, MEASURES[:-2]),
    level_now(competitor_quotes),
    level_now(competitor_prices),
    mean("cost_per_lead", marketing_spend / leads_created, board.SOURCES),
    mean("cost_per_acquisition", marketing_spend / STAGE_ENTRIES["customer"]),
    ACQUISITION_COST,
    derived(
        "cac_to_clv_ratio",
        "customer_acquisition_cost ÷ customer_lifetime_value",
        (ACQUISITION_COST,),
        (LIFETIME_VALUE,),
        only=("30d",),
    ),
    ratio("landing_page_conversion_ratio", COUNTS["sign_ups"] / COUNTS["visits"]),
    ratio("click_through_ratio", COUNTS["clicks"] / COUNTS["deliveries"]),
)
