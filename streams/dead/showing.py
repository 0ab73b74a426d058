"""A dead letter as somebody reads it: why, where, what to do, and the body with the place marked. It holds personal data."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from zoneinfo import ZoneInfo

from models.units import Millis, moment
from streams.dead_letters import DeadLetter
from streams.inspection.printing import printable

MOST_SHOWN: Final = 20_000
"""Characters of a body that a terminal is given."""

_STEP: Final = re.compile(r"[^.\[\]$]+")
_HERE: Final = "\0here\0"


def lines(letter: DeadLetter, zone: str) -> Iterator[str]:
    """All of it for people, such that a terminal takes it for nothing but text; instants in local time."""
    element = "" if letter.index is None else f", element {letter.index}"
    for name, told in (
        ("id", letter.id),
        ("connection", letter.connection or "none"),
        ("received", _local(letter.received_at, zone)),
        ("came in", f"{letter.topic}[{letter.partition}]@{letter.offset}{element}"),
        ("where", letter.where),
        ("why", letter.reason),
        ("to do", letter.todo or "–"),
    ):
        yield printable(f"{name:<11}{told}")
    if letter.is_resent:
        yield f"{'sent again':<11}{_local(letter.resent_at, zone)}, and read: its body is not kept any longer"
    else:
        yield f"{'body':<11}{len(letter.content)} bytes, which may hold personal data"
        yield from _body(letter)


def _local(at: Any, zone: str) -> str:
    return moment(Millis(at)).astimezone(ZoneInfo(zone)).isoformat(" ", "milliseconds") if isinstance(at, int) else "–"


def _body(letter: DeadLetter) -> Iterator[str]:
    text, marked = laid_out(letter.content, letter.where)
    for number, line in enumerate(text[:MOST_SHOWN].split("\n")):
        yield f"{'→' if number == marked else ' '} {printable(line)}"
    if len(text) > MOST_SHOWN:
        yield f"… and {len(text) - MOST_SHOWN} characters more: --json has all"


def laid_out(body: bytes, where: str) -> tuple[str, int | None]:
    """A body over several lines if it is JSON, and the number of the line where a path leads, as far as it can be followed."""
    try:
        told = {"$": json.loads(body)}
    except (ValueError, RecursionError):
        return body.decode(errors="backslashreplace"), None
    holder, key = _followed(told, where)
    value, holder[key] = holder[key], _HERE
    before, _, behind = _in_lines(told["$"]).partition(json.dumps(_HERE))
    line = before.count("\n")
    margin = re.match(" *", before.rpartition("\n")[2])
    inside = _in_lines(value).replace("\n", "\n" + (margin[0] if margin else ""))
    return before + inside + behind, None if holder is told else line


def _followed(told: dict[str, Any], where: str) -> tuple[Any, Any]:
    holder: Any = told
    key: Any = "$"
    for step in _STEP.findall(where):
        inner = holder[key]
        if isinstance(inner, dict) and step in inner:
            holder, key = inner, step
        elif isinstance(inner, list) and step.isdigit() and int(step) < len(inner):
            holder, key = inner, int(step)
        else:
            break
    return holder, key


def _in_lines(told: Any) -> str:
    return json.dumps(told, indent=2, ensure_ascii=False)
