"""Timelines within the record of an object: a value is kept under the instant from which on it holds, as a field of its own."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

STAGE_FROM: Final = "stage@"
"""Under this and an instant a deal's record has the stage that it is in from then on."""

MRR_FROM: Final = "mrr@"
"""Under this and an instant a subscription's record has what it brings a month from then on, and in which currency."""


def put_into_spans(fields: dict[str, Any], version: int) -> None:
    """Put what a deal or a subscription tells of a stretch of time under the instant from which it holds."""
    stage_at = fields.pop("stage_at", version)
    if "stage" in fields:
        fields[f"{STAGE_FROM}{stage_at}"] = fields.pop("stage")
    effective_at = fields.pop("effective_at", version)
    if "mrr" in fields:
        fields[f"{MRR_FROM}{effective_at}"] = [fields.pop("mrr"), fields.pop("currency", None)]


def spans(fields: Mapping[str, Any], prefix: str) -> Iterator[tuple[int, Any]]:
    """What a record has under a prefix: since when, and what."""
    return ((int(name.removeprefix(prefix)), content) for name, content in fields.items() if name.startswith(prefix))
