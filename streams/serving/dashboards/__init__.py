"""Grafana dashboards, generated from the catalogue, so that what a panel says of a KPI is what the KPI is."""

import json
from enum import StrEnum

from streams.serving.dashboards.every_kpi import every_kpi
from streams.serving.dashboards.speed_to_lead import speed_to_lead

__all__ = ["Name", "render"]


class Name(StrEnum):
    """The dashboards that there are."""

    SPEED_TO_LEAD = "speed_to_lead"
    EVERY_KPI = "every_kpi"


_MADE_BY = {Name.SPEED_TO_LEAD: speed_to_lead, Name.EVERY_KPI: every_kpi}


def render(name: Name = Name.SPEED_TO_LEAD) -> str:
    """A dashboard as Grafana's JSON model."""
    return json.dumps(_MADE_BY[name](), ensure_ascii=False, indent=2) + "\n"
