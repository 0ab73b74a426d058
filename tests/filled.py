"""Events of every kind with one text in every field that takes any text, made from the schema that users get."""

from collections.abc import Mapping
from typing import Any

from models.events import schema
from models.units import isoformat

SCHEMA = schema()
KINDS = [each["$ref"].rpartition("/")[2] for each in SCHEMA["anyOf"][0]["anyOf"]]
"""All kinds of events, by their names in the schema."""

ENDS = {"Deleted", "Restored", "Erased", "Merged"}
"""Kinds that would take away again what the others tell: they are of a subject of their own."""

NEVER_SENT = {"received_at"}


def filled(text: str, at: int) -> list[dict[str, Any]]:
    """One event of each kind; all that has happened has happened at an instant, and all ids are the text, or begin with it."""
    return [_event(name, f"{text}{name}" if name in ENDS else text, at) for name in KINDS]


def _event(name: str, text: str, at: int) -> dict[str, Any]:
    made = _value({"$ref": f"#/$defs/{name}"}, text, at)
    if name in ENDS:
        made.pop("object", None)
        made["subject"]["kind"] = "lead"
    if "into" in made:
        made["into"] = {"kind": "lead", "id": f"{text} too"}
    return made


def _value(schema: Mapping[str, Any], text: str, at: int) -> Any:
    match schema:
        case {"$ref": ref}:
            made = _value(SCHEMA["$defs"][ref.rpartition("/")[2]], text, at)
        case {"anyOf": [first, *_]}:
            made = _value(first, text, at)
        case {"enum": [first, *_]}:
            made = first
        case {"type": "object", "properties": fields}:
            made = {key: _value(each, text, at) for key, each in fields.items() if key not in NEVER_SENT}
        case {"type": "array", "items": each}:
            made = [_value(each, text, at)]
        case {"type": "boolean"}:
            made = True
        case {"type": "integer", **limits}:
            made = max(1, limits.get("minimum", 1))
        case _:
            made = _text(schema, text, at)
    return made


def _text(schema: Mapping[str, Any], text: str, at: int) -> str:
    if schema.get("format") == "date-time":
        return isoformat(at)
    if "[A-Z]{3}" in schema.get("pattern", ""):
        return "EUR"
    return isoformat(at)[:10] if "pattern" in schema else text
