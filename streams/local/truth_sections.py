"""What the catalogue's further sections tell together: of accounts, of reps, of campaigns, and what leads tell besides."""

from collections.abc import Iterable, Iterator

from streams.local.truth_accounts import ACCOUNTS, told_by_accounts
from streams.local.truth_campaigns import CAMPAIGNS, told_by_campaigns
from streams.local.truth_facts import Rules
from streams.local.truth_findings import Findings
from streams.local.truth_lines import LINES, told_by_sales
from streams.local.truth_proposals import PROPOSALS, conversations, told_by_engagement, told_by_nurtures, told_by_proposals
from streams.local.truth_record import Json
from streams.local.truth_reps import REPS, told_by_reps
from streams.local.truth_section import Section, Told

__all__ = ["MORE", "conversations", "told_by_lead", "told_by_others"]

_ALL = (ACCOUNTS, REPS, CAMPAIGNS, LINES, PROPOSALS)
MORE = Section(
    counts=[name for section in _ALL for name in section.counts],
    durations=[name for section in _ALL for name in section.durations],
    ratios={name: parts for section in _ALL for name, parts in section.ratios.items()},
    means={name: parts for section in _ALL for name, parts in section.means.items()},
    levels=[name for section in _ALL for name in section.levels],
    daily={name for section in _ALL for name in section.daily},
    money={name for section in _ALL for name in section.money},
    seconds={name for section in _ALL for name in section.seconds},
    formulas={name: formula for section in _ALL for name, formula in section.formulas.items()},
)


def told_by_lead(found: Findings) -> Iterator[Told]:
    """What a lead tells besides."""
    yield from told_by_sales(found)
    yield from told_by_proposals(found)
    yield from told_by_nurtures(found)
    yield from told_by_engagement(found)


def told_by_others(events: Iterable[Json], rules: Rules, known_until: int) -> Iterator[Told]:
    """What all subjects that are no leads tell."""
    events = list(events)
    yield from told_by_accounts(events, rules, known_until)
    yield from told_by_reps(events, rules, known_until)
    yield from told_by_campaigns(events, rules, known_until)
