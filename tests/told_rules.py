"""Rules as their configuration file would say them, for the oracle, which reads nothing else."""

from typing import Any

from models.calendars import Hours, Shift, WorkCalendar
from models.rules import LISTS, Rules, SlaPolicy
from models.units import DAY, MINUTE, Millis, moment
from streams.config.values import WEEKDAYS

ALSO_BY = ["sales_region", "campaign"]
FULL_DAY = 1440


def tables(rules: Rules) -> dict[str, Any]:
    """Rules as their configuration file would say them."""
    return {
        "organisation": {"zone": rules.zone},
        "roster": [_table(rep=each.rep, team=each.team, since=each.valid_from) for each in rules.roster],
        "sla": [
            _table(
                target=_target(each),
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
        "money": {
            "currency": rules.money.currency,
            "rates": [_table(currency=each.currency, rate=each.worth, since=each.valid_from) for each in rules.money.rates],
            **({} if rules.gross_margin_percent is None else {"gross_margin_percent": rules.gross_margin_percent}),
        },
        "customers": {"after_purchase_days": rules.customer_ms // DAY},
        "referral_origins": list(rules.referral_origins),
        "quotas": [
            _table(rep=each.rep, team=each.team, amount=each.amount, per=each.per, since=each.valid_from)
            | {"ramp": [*each.ramp]}
            for each in rules.quotas
        ],
        "plans": [
            _table(rep=each.rep, commission_percent=each.commission_percent, ote=each.ote, since=each.valid_from)
            for each in rules.plans
        ],
        "targets": [
            _table(kpi=each.kpi, value=each.value, window=each.window, since=each.valid_from) for each in rules.targets
        ],
        "leaderboards": [{"kpi": each.kpi} | ({} if each.best is None else {"best": each.best}) for each in rules.leaderboards],
        "deal_stages": [{"name": each.name, "probability": each.probability} for each in rules.deal_stages],
        "calendars": [_calendar(each) for each in rules.calendars],
        "team_calendars": [_table(team=use.name, calendar=use.calendar, since=use.valid_from) for use in rules.team_calendars],
        "rep_calendars": [_table(rep=use.name, calendar=use.calendar, since=use.valid_from) for use in rules.rep_calendars],
        "absences": [_table(rep=each.rep, since=each.start) | {"until": moment(each.end)} for each in rules.absences],
    }


def _target(policy: SlaPolicy) -> str:
    match policy.time:
        case "wall":
            return f"{policy.target_ms // 1000}s"
        case "business":
            return f"{policy.target_ms // MINUTE}bm"
        case _:
            return f"{policy.target_ms // DAY}bd"


def _calendar(calendar: WorkCalendar) -> dict[str, Any]:
    week: dict[str, list[str]] = {}
    for shift in calendar.shifts:
        week.setdefault(WEEKDAYS[shift.weekday].lower(), []).append(_hours(shift))
    days = [{"date": own.day, "hours": [_hours(each) for each in own.hours]} for own in calendar.days]
    return {"name": calendar.name, "zone": calendar.zone, "hours": week, "days": days}


def _hours(hours: Shift | Hours) -> str:
    end = hours.end if hours.end <= FULL_DAY else hours.end - FULL_DAY
    return "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (hours.start, end))


def _table(since: Millis, **texts: str | None) -> dict[str, Any]:
    return {name: text for name, text in texts.items() if text is not None} | {"from": moment(since)}
