"""Prometheus' text format of many gauges that are told again and again: what a series is called is written once. Pure.

What it makes is what `prometheus_client.generate_latest` would make.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from prometheus_client.utils import floatToGoString

_number: Final[Callable[[float], str]] = floatToGoString


class Name(NamedTuple):
    """What a series is called: its metric and its labels; and as the page has it, up to its value."""

    metric: str
    labels: Mapping[str, str]
    text: str


class Series(NamedTuple):
    """One sample: what it is called, and its value; and as the page has it."""

    name: Name
    value: float
    line: str


def name_of(metric: str, labels: Mapping[str, str]) -> Name:
    """The name of a series."""
    told = ",".join(f'{label}="{_escaped(value)}"' for label, value in sorted(labels.items()))
    return Name(metric, labels, f"{metric}{{{told}}} " if told else f"{metric} ")


def series_of(name: Name, value: float) -> Series:
    """The sample of a series."""
    return Series(name, value, f"{name.text}{_number(value)}\n")


def gauges(helps: Mapping[str, str], series: Iterable[Series]) -> str:
    """The lines of all metrics that have series, each behind its HELP text, in the order of those."""
    lines: dict[str, list[str]] = {metric: [] for metric in helps}
    for name, _, line in series:
        lines[name.metric].append(line)
    return "".join(f"{_head(metric, helps[metric])}{''.join(told)}" for metric, told in lines.items() if told)


def _head(metric: str, text: str) -> str:
    told = text.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {metric} {told}\n# TYPE {metric} gauge\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
