"""Grafana dashboards, generated from the catalogue, so that what a panel says of a KPI is what the KPI is."""

import json

from streams.serving.dashboards.speed_to_lead import speed_to_lead

__all__ = ["render"]


def render() -> str:
    """The dashboard *Speed to lead* as Grafana's JSON model."""
    return json.dumps(speed_to_lead(), ensure_ascii=False, indent=2) + "\n"
