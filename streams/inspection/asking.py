"""What somebody means who names a table: `window:1h` of all partitions, or a key as Redis has it, `lb:{2}:1:window:1h`."""

import re
from datetime import datetime
from typing import Final, NamedTuple

from models.units import millis
from streams.errors import Fatal

TABLES: Final = {
    "applied": "how far each partition has come, and who holds it",
    "lead:CONNECTION:ID": "what is known of a lead: every field with its version",
    "state:lead:BUCKET": "which leads lie in one of the 256 buckets, and how large they are",
    "pages:lead:CONNECTION:ID": "in which pages a huge lead's touches lie",
    "rows:lead:CONNECTION:ID": "in which chunks of time their rows lie, by which it is counted",
    "parts": "which panes, windows and members there are, and rows of huge leads",
    "pane:SIZE:START": "the sums of one pane, such as pane:10s:2026-03-02T12:00:10Z (or its start in ms)",
    "window:NAME": "the sums of a window, such as window:1h",
    "level": "what is so now, such as leads that wait",
    "oldest": "the oldest open clock of each slice",
    "series": "the names behind the numbers of the sums",
    "changed": "what the publisher reads next, by the checkpoint that changed it",
    "due": "when time alone changes something about a lead next",
    "open": "the leads that wait, since when, and when they are due",
    "members:MEASURE": "which leads are behind a number, and when they count: `leadbeat table parts` says of which measures",
    "outbox": "alerts, and what merged leads hand on, still to be sent",
    "erased": "the hashes of the leads that were erased",
    "kpi:WINDOW": "the KPI rows of a window, or of now: what people and programs read",
    "kpi:applied": "which round the KPI rows are of",
    "kpi:changes": "the rows that the last rounds wrote or deleted, so that who has read the others need not read them again",
    "workers": "which workers are there",
    "rules": "the rules that were applied, by version; the last ones are in force",
}
"""What can be asked for, and what it holds. What stands in capitals is to be filled in."""

NAMES: Final = frozenset(name.partition(":")[0] for name in TABLES)
BARE: Final = frozenset(name for name in TABLES if ":" not in name)
ADVICE: Final = "`leadbeat table` lists what there is"


_NUMBER: Final = "[0-9]{1,9}"
_INSTANT: Final = "[0-9]{1,15}"


class Asked(NamedTuple):
    """A table by its name (`window`) and what is to be filled in (`1h`); of one partition and generation, or of any (None)."""

    name: str
    rest: str
    partition: int | None = None
    generation: int | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.rest}" if self.rest else self.name


def asked(text: str, prefix: str) -> Asked:
    """What a text asks for. Raises Fatal for what is no table, or is under another prefix."""
    found = _key(text, prefix)
    if found.name not in NAMES:
        raise Fatal("table", f"{text!r} is none", ADVICE)
    if bool(found.rest) == (found.name in BARE):
        forms = " or ".join(name for name in TABLES if name.partition(":")[0] == found.name)
        raise Fatal("table", f"{text!r} is none", f"ask for {forms}")
    return found._replace(rest=_start_in_ms(found.rest)) if found.name == "pane" else found


def _key(text: str, prefix: str) -> Asked:
    match = re.fullmatch(rf"([^:{{}}]*):\{{(\w+)\}}:(?:({_NUMBER}):)?(.+)", text)
    if match is None:
        name, _, rest = text.partition(":")
        return Asked(name, rest)
    if match[1] != prefix:
        raise Fatal("table", f"{text!r} is not under the prefix {prefix!r}", "name the settings file that it belongs to")
    if match[2] == "workers":
        return Asked("workers", "")
    if match[2] == "rules":
        return Asked("rules", "")
    if match[2] == "kpi":
        return Asked("kpi", match[4])
    if not re.fullmatch(_NUMBER, match[2]):
        raise Fatal("table", f"{text!r} is none", ADVICE)
    name, _, rest = match[4].partition(":")
    return Asked(name, rest, int(match[2]), None if match[3] is None else int(match[3]))


def _start_in_ms(rest: str) -> str:
    """A pane's size and start with the start as its key spells it."""
    size, _, start = rest.partition(":")
    if re.fullmatch(_INSTANT, start):
        return rest
    try:
        moment = datetime.fromisoformat(start)
        return f"{size}:{millis(moment)}" if moment.tzinfo else _refuse_start(start)
    except ValueError:
        return _refuse_start(start)


def _refuse_start(start: str) -> str:
    raise Fatal("table", f"{start!r} is no start of a pane", "give it as 2026-03-02T12:00:10Z, or in ms")
