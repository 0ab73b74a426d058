"""What a route is to whoever reads the API's description: said beside the code that serves it, put together in `openapi`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from streams.config import Scope
from streams.serving.answers import JSON, Refusal


class Parameter(NamedTuple):
    """A parameter of the query.

    `values`: what it may be (none: anything), `pattern`: or what is written so; `highest`: it is a whole number, up to this.
    `lowest` may be more than 0. `repeated`: each adds a value. `required`: it must be there. `path`: it stands in the path.
    """

    name: str
    text: str
    values: Collection[str] = ()
    repeated: bool = False
    highest: int | None = None
    pattern: str = ""
    lowest: int = 0
    required: bool = False
    path: bool = False


class Told(NamedTuple):
    """An answer: what it says, and by media type the type of its JSON, or, for text, what stands in it."""

    text: str
    content: Mapping[str, Any]


NOT_ALLOWED: Final = {
    401: Told("The exporter has tokens, and none of them was sent.", {JSON: Refusal}),
    403: Told("The token has not the scope, or the page of another site has asked.", {JSON: Refusal}),
}
"""What an answer may be instead where a scope is needed."""


class Operation(NamedTuple):
    """GET of a path, for those who have the scope; without one for everybody."""

    path: str
    name: str
    scope: Scope | None
    text: str
    answers: Mapping[int, Told]
    parameters: Sequence[Parameter] = ()

    def every_answer(self) -> Mapping[int, Told]:
        """Its answers, and those to whoever may not ask."""
        return {**self.answers, **(NOT_ALLOWED if self.scope else {})}


FAULTS: Final = {
    500: Told("What stands in Redis is not of this version.", {JSON: Refusal}),
    503: Told("Not now: Redis does not answer, or nothing has been published yet. Ask again.", {JSON: Refusal}),
}
"""What every answer out of Redis may be instead."""

NOT_KNOWN: Final = {400: Told("A parameter, or its value, is not known; `todo` lists what is.", {JSON: Refusal})}
"""What an answer to a question may be instead."""
