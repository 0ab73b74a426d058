"""What is told of a run: by kind how often, recovered in, how fresh; what was lost and doubled; what was refused meanwhile."""

import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
from faults.freshness import rank
from faults.kinds import KINDS
from faults.run import Fault, Outcome

TOLD: Final = (
    "partition_loaded",
    "checkpoint_retried",
    "checkpoint_refused FENCED",
    "checkpoint_refused ROLLED_BACK",
    "checkpoint_refused REFUSED",
    "round_refused FENCED",
    "round_refused ROLLED_BACK",
    "publisher_started",
    "load_failed",
    "outbox_waits",
    "stuck",
    "records_missing",
)
"""What services say that faults bring about."""


def figures(outcomes: Sequence[Outcome], command: str, seed: int) -> dict[str, Any]:
    """Everything that is told, as JSON."""
    faults = [fault for outcome in outcomes for fault in outcome.faults]
    ages = _together(outcomes)
    said = sum((Counter(outcome.said) for outcome in outcomes), Counter[str]())
    ends = sum((Counter(outcome.ends) for outcome in outcomes), Counter[str]())
    return {
        "command": command,
        "seed": seed,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load_average": round(os.getloadavg()[0], 1)},
        "faults": len(faults),
        "lost": sum(outcome.verdict.lost for outcome in outcomes),
        "doubled": sum(outcome.verdict.doubled for outcome in outcomes),
        "right": all(outcome.is_right for outcome in outcomes),
        "pieces": len(outcomes),
        "deliveries": sum(outcome.deliveries for outcome in outcomes),
        "events": sum(outcome.events for outcome in outcomes),
        "answers": dict(sum((Counter(outcome.answers) for outcome in outcomes), Counter[int]())),
        "compared": dict(sum((Counter(outcome.verdict.compared) for outcome in outcomes), Counter[str]())),
        "fresh_p95_s": _rounded(rank(ages.get("calm", []), 95)),
        "kinds": {name: _of_kind(name, faults, ages.get(name, [])) for name in KINDS if _all_of(name, faults)},
        "said": {event: said[event] for event in TOLD if said[event]},
        "ended": dict(sorted(ends.items())),
        "missed": dict(Counter(name for outcome in outcomes for name in outcome.missed)),
        "wrong": list(_wrong(outcomes)),
    }


def _together(outcomes: Iterable[Outcome]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for outcome in outcomes:
        for name, ages in outcome.ages.items():
            found.setdefault(name, []).extend(ages)
    return found


def _all_of(name: str, faults: Iterable[Fault]) -> list[Fault]:
    return [fault for fault in faults if fault.kind == name]


def _of_kind(name: str, faults: Iterable[Fault], ages: Sequence[float]) -> dict[str, Any]:
    mine = _all_of(name, faults)
    recovered = [fault.recovered - fault.over for fault in mine if fault.recovered]
    return {
        "count": len(mine),
        "what": KINDS[name].what,
        "recovered_p50_s": _rounded(median(recovered)) if recovered else None,
        "recovered_max_s": _rounded(max(recovered, default=None)),
        "fresh_p95_s": _rounded(rank(ages, 95)),
        "oldest_s": _rounded(max(ages, default=None)),
        "tried_again": sum(fault.attempts - 1 for fault in mine),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _wrong(outcomes: Iterable[Outcome]) -> Iterable[str]:
    for outcome in outcomes:
        for text in (outcome.stopped, *outcome.verdict.differences):
            if text:
                yield f"{outcome.seed}: {text}"
        yield from (f"{outcome.seed}: {fault.kind}: {fault.wrong}" for fault in outcome.faults if fault.wrong)


HEADER: Final = """\
| kind | what happens | faults | recovered in, p50 (s) | max (s) | age of what is shown, p95 (s) | oldest (s) |
|---|---|---|---|---|---|---|
"""


def in_words(told: dict[str, Any]) -> str:
    """The same as a page of Markdown."""
    machine = told["machine"]
    load = f"load average {machine['load_average']} at the end"
    parts = [
        f"`{told['command']}`, seed {told['seed']}; {machine['cores']} cores ({load}), Python {machine['python']}.",
        f"**{last_line(told)}**",
        _of_load(told),
        HEADER + "\n".join(_row(name, of) for name, of in told["kinds"].items()),
        f"What services said: {_listed(told['said'])}. How their processes ended: {_listed(told['ended'])}.",
    ]
    if told["missed"]:
        parts.append(f"Not come to pass as aimed: {_listed(told['missed'])}.")
    if told["wrong"]:
        parts.append("\n".join(["Wrong:\n", *(f"- {each}" for each in told["wrong"])]))
    return "\n\n".join([*parts, ""])


def _of_load(told: dict[str, Any]) -> str:
    return (
        f"{told['deliveries']} deliveries with {told['events']} events were acknowledged, by {told['pieces']} installations in"
        f" turn; answers by status: {_listed(told['answers'])}. Compared at the end: {_listed(told['compared'])}. While nothing"
        f" happened, the newest exact round was {told['fresh_p95_s']} s old (p95)."
    )


def _row(name: str, of: dict[str, Any]) -> str:
    figures = (of[each] for each in ("count", "recovered_p50_s", "recovered_max_s", "fresh_p95_s", "oldest_s"))
    return " | ".join([f"| `{name}`", of["what"].rstrip("."), *map(str, figures)]) + " |"


def _listed(counts: dict[Any, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"


def last_line(told: dict[str, Any]) -> str:
    """What a run ends with."""
    return f"{told['faults']} faults, {told['lost']} lost, {told['doubled']} doubled"


def write(path: Path, told: dict[str, Any]) -> None:
    """Write both, under a name without an ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n")
    path.with_suffix(".md").write_text(in_words(told))


def keep(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Note what is done, so that a run can be gone on with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(outcomes))


def kept(path: Path) -> list[Outcome]:
    """What is done of a run; nothing if there is none."""
    return msgspec.json.decode(path.read_bytes(), type=list[Outcome]) if path.exists() else []
