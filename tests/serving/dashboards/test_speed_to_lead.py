"""The dashboard *Speed to lead* leaves no ratio of its themes out."""

import json
import re

from models.catalogue import activity, replies, speed
from models.kpis import Formula
from streams.serving.dashboards import render
from streams.serving.profile import metrics_of


def test_every_ratio_of_its_themes_is_shown():
    (rates,) = (panel for panel in json.loads(render())["panels"] if panel["title"].startswith("Rates"))
    figures = (figure for theme in (activity, replies, speed) for figure in theme.KPIS)
    ratios = {metric for figure in figures if figure.formula is Formula.RATIO for metric in metrics_of(figure)}
    asked = " ".join(target["expr"] for target in rates["targets"])
    assert ratios <= set(re.findall(r"\bleadbeat_\w+", asked))
    names = re.findall(r'"rate", "(.*?)"', rates["targets"][0]["expr"])
    assert len(set(names)) == len(ratios)
