"""Rules as their configuration file would say them, for the oracle, which reads nothing else."""

from typing import Any

from models.rules import LISTS, Rules
from models.units import Millis, moment

ALSO_BY = ["sales_region", "campaign"]


def tables(rules: Rules) -> dict[str, Any]:
    """Rules as their configuration file would say them."""
    return {
        "organisation": {"zone": rules.zone},
        "roster": [_table(rep=each.rep, team=each.team, since=each.valid_from) for each in rules.roster],
        "sla": [
            _table(
                target=f"{each.target_ms // 1000}s",
                team=each.team,
                lead_source=each.lead_source,
                segment=each.segment,
                since=each.valid_from,
            )
            for each in rules.sla
        ],
        **{name: list(rules.listed(dim)) for dim, name in LISTS.items()},
        "pairs": [list(pair) for pair in rules.pairs],
        "profile": {"also_by": ALSO_BY},
        "meetings": {
            "grace": f"{rules.meeting_grace_ms // 1000}s",
            "unmarked": "held" if rules.unmarked_meetings_count_as_held else "unmarked",
        },
    }


def _table(since: Millis, **texts: str | None) -> dict[str, Any]:
    return {name: text for name, text in texts.items() if text is not None} | {"from": moment(since)}
