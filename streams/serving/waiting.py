"""The queue over HTTP, as JSON."""

from typing import Final, NamedTuple

from msgspec import Struct
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.units import Millis
from models.windows import DUE_LAG
from streams.errors import Retry
from streams.serving.answers import JSON, answer
from streams.serving.documented import FAULTS, NOT_KNOWN, Operation, Parameter, Told
from streams.serving.queue import DIMS, Lead, Queue, QueueReader, Tally
from streams.serving.selection import InvalidQueryError, check

PARAMETERS: Final = (*DIMS, "overdue", "limit")
USUAL_LIMIT: Final = 100
HIGHEST_LIMIT: Final = 1000


class Question(NamedTuple):
    """Of whom the queue is asked for, only of those who are overdue or are not (None: both), and how many leads are listed."""

    wanted: dict[str, str]
    overdue: bool | None
    limit: int


class Waiting(Struct, frozen=True):
    """The queue, or what was asked of it: how many wait in all, by rep and team, and the first of them. Instants are ms UTC."""

    clock: Millis
    known_until: Millis
    total: int
    overdue: int
    by_rep: dict[str, Tally]
    by_team: dict[str, Tally]
    waiting: list[Lead]


OPERATION: Final = Operation(
    "/api/v1/waiting",
    "getWaiting",
    "leads",
    "The queue: every lead that waits for an answer, the first due first (those without a due time last), then by inquiry.",
    {200: Told("How many wait, and the first of them.", {JSON: Waiting}), **NOT_KNOWN, **FAULTS},
    (
        *(Parameter(dim, f"Only the leads of this {dim.replace('_', ' ')}.") for dim in DIMS),
        Parameter("overdue", "`1`: only those overdue, `0`: only those that are not.", ("0", "1")),
        Parameter("limit", f"How many leads are listed, {USUAL_LIMIT} unless given.", highest=HIGHEST_LIMIT),
    ),
)


def parse(query: QueryParams) -> Question:
    """The question that a query string means; an empty parameter does not count. Raises InvalidQueryError."""
    for name in query:
        check("query", name, PARAMETERS)
    given = {name: value for name, value in query.items() if value}
    if "overdue" in given:
        check("overdue", given["overdue"], ("0", "1"))
    return Question(
        {dim: given[dim] for dim in DIMS if dim in given},
        given["overdue"] == "1" if "overdue" in given else None,
        _limit(given.get("limit", str(USUAL_LIMIT))),
    )


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(HIGHEST_LIMIT)) and int(text) <= HIGHEST_LIMIT:
        return int(text)
    raise InvalidQueryError("limit", f"{text!r} is not a number of leads", f"0 to {HIGHEST_LIMIT}")


def answer_of(queue: Queue, question: Question) -> Waiting:
    """What a queue says to a question. Raises Retry as long as not all partitions have a clock."""
    if queue.clock is None:
        raise Retry("clock", "not all partitions have one yet", "wait until a worker has taken them")
    asked = queue.narrowed(question.wanted)
    if question.overdue is not None:
        asked = Queue(queue.clock, [lead for lead in asked.leads if lead.overdue == question.overdue])
    return Waiting(
        clock=queue.clock,
        known_until=Millis(queue.clock - DUE_LAG),
        total=len(asked.leads),
        overdue=sum(lead.overdue for lead in asked.leads),
        by_rep=asked.by_rep,
        by_team=asked.by_team,
        waiting=list(asked.leads[: question.limit]),
    )


def route(reader: QueueReader) -> Route:
    """GET /api/v1/waiting."""

    async def queue(request: Request) -> Response:
        question = parse(request.query_params)
        return answer(answer_of(await reader.read(), question))

    return Route(OPERATION.path, queue)
