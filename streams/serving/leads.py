"""The leads behind a KPI over HTTP, as JSON and CSV."""

import asyncio
import binascii
import io
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.belief import EARLIEST, LATEST
from models.catalogue import FIGURES
from models.kpis import Figure
from models.units import Millis
from models.windows import DUE_LAG, WINDOWS
from streams import sheets
from streams.serving.answers import CSV, JSON, Refusal, answer, sheet, wants_csv
from streams.serving.api import BY
from streams.serving.behind import Behind, LeadsReader, Question
from streams.serving.catalogue import DIMS, WHOLE, opened
from streams.serving.documented import FAULTS, NOT_KNOWN, Operation, Parameter, Told
from streams.serving.selection import PAIR, InvalidQueryError, NotThereError, check, check_by
from streams.serving.standing import LeadBehind
from streams.tables.members import Place

USUAL_LIMIT: Final = 100
HIGHEST_LIMIT: Final = 1000

WINDOW_NAMES: Final = tuple(window.name for window in WINDOWS)
_LABELLED: Final = [dict(figure.labels) for figure in FIGURES if figure.of is None]
LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(dict.fromkeys(labels[name] for labels in _LABELLED if name in labels))
    for name in dict.fromkeys(name for labels in _LABELLED for name in labels)
}
"""The labels by which KPIs of one name differ, and their values."""

OPENED: Final = tuple(dict.fromkeys(figure.id for figure in FIGURES if opened(figure)))
"""The KPIs whose leads can be asked for."""

OF: Final = ("numerator", "denominator")
FORMATS: Final = ("json", "csv")
PARAMETERS: Final = ("window", "by", "slice", "of", *LABELS, "limit", "cursor", "format")
COLUMNS: Final = LeadBehind.__struct_fields__


class Leads(Struct, frozen=True):
    """The leads behind a KPI's numerator or denominator, newest first: one for each time that something counts in it.

    `next`, unless null, is the cursor of more of them; there may be more even behind a list that is short or empty. The window
    ends and deadlines are judged as the row of the KPI at this `clock` has them. `exact`: all partitions stand there, and stood
    still while they were read; then there are as many as the row's number says.
    """

    clock: Millis
    known_until: Millis
    exact: bool
    kpi: str
    labels: dict[str, str]
    window: str
    by: str
    slice: str
    of: str
    leads: list[LeadBehind]
    next: str | None


OPERATION: Final = Operation(
    "/api/v1/kpis/{kpi}/leads",
    "getLeads",
    "leads",
    "The leads behind the number of a KPI that counts leads, or what happens to them, and the instants at which they count.",
    {
        200: Told(
            "The leads, newest first. Of CSV, the header `link` has the address of the next ones.",
            {JSON: Leads, CSV: f"RFC 4180, with a heading: {','.join(COLUMNS)}"},
        ),
        404: Told("There is no such KPI, or it is not kept who is behind it; `what` says which.", {JSON: Refusal}),
        **NOT_KNOWN,
        **FAULTS,
        503: Told(f"{FAULTS[503].text} Or too much is asked at once, or of too many leads.", {JSON: Refusal}),
    },
    (
        Parameter("kpi", "The id of a KPI.", OPENED, path=True),
        Parameter("window", "Its window.", WINDOW_NAMES, required=True),
        Parameter("by", BY, (WHOLE, *DIMS), pattern=PAIR),
        Parameter("slice", "The value of what is asked `by`; of a pair both, with a comma between."),
        Parameter("of", "Whose leads: those of the numerator unless given.", OF),
        *(Parameter(name, "Which of the KPIs of this name.", values) for name, values in LABELS.items()),
        Parameter("limit", f"How many leads are listed, {USUAL_LIMIT} unless given.", lowest=1, highest=HIGHEST_LIMIT),
        Parameter("cursor", "`next` of the answer before: those behind it."),
        Parameter("format", "Else the Accept header decides; JSON where it does not.", FORMATS),
    ),
)


def parse(kpi: str, query: Mapping[str, str]) -> Question:
    """The question that a path and a query string mean; an empty parameter does not count.

    Raises NotThereError and InvalidQueryError.
    """
    for name in query:
        check("query", name, PARAMETERS)
    given = {name: value for name, value in query.items() if value}
    figure = _figure(kpi, given)
    of = given.get("of", OF[0])
    check("of", of, OF)
    check("format", given.get("format", FORMATS[0]), FORMATS)
    _check_opened(figure, of)
    by = given.get("by", WHOLE)
    check_by(by)
    by, slice_ = "" if by == WHOLE else by, given.get("slice", "")
    if bool(by) != bool(slice_):
        raise InvalidQueryError("slice", "goes with by: give both or none", "such as by=rep&slice=ana")
    if "window" not in given:
        raise InvalidQueryError("window", "is missing", f"one of {', '.join(figure.windows)}")
    check("window", given["window"], figure.windows)
    cursor = given.get("cursor")
    limit = _limit(given.get("limit", str(USUAL_LIMIT)))
    return Question(figure, of, given["window"], by, slice_, limit, None if cursor is None else decode_cursor(cursor))


def _figure(kpi: str, given: Mapping[str, str]) -> Figure:
    named = [figure for figure in FIGURES if figure.id == kpi]
    if not named:
        raise NotThereError("kpi", f"{kpi!r} is not known", f"one of {', '.join(OPENED)}")
    if all(figure.of for figure in named):
        raise NotThereError("kpi", f"{kpi} compares other KPIs: nobody is behind it", f"one of {', '.join(OPENED)}")
    for name, values in LABELS.items():
        if name in given:
            check(name, given[name], values)
            named = [figure for figure in named if dict(figure.labels).get(name) == given[name]]
    if not named:
        raise InvalidQueryError("query", f"{kpi} has no such labels", "leave them out")
    if len(named) > 1:
        (name, _), *_ = named[0].labels
        raise InvalidQueryError(name, "is missing", f"one of {', '.join(dict(figure.labels)[name] for figure in named)}")
    return named[0]


def _check_opened(figure: Figure, of: str) -> None:
    if of in opened(figure):
        return
    if of == "denominator" and not figure.denominator:
        raise NotThereError("of", f"{figure.id} has no denominator", "leave `of` out")
    if not figure.windowed:
        raise NotThereError("kpi", f"{figure.id} is of those who wait now", "ask /api/v1/waiting who they are")
    number = f"the {of} of {figure.id}" if figure.denominator else figure.id
    raise NotThereError("kpi", f"it is not kept who is behind {number}", f"these can be opened: {', '.join(OPENED)}")


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(HIGHEST_LIMIT)) and 1 <= int(text) <= HIGHEST_LIMIT:
        return int(text)
    raise InvalidQueryError("limit", f"{text!r} is not a number of leads", f"1 to {HIGHEST_LIMIT}")


def encode_cursor(place: Place) -> str:
    """A place in the list as text for an address."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def decode_cursor(text: str) -> Place:
    """The inverse of `encode_cursor`. Raises InvalidQueryError."""
    try:
        place = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Place)
        if EARLIEST <= place.at < LATEST:
            return place
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        pass
    raise InvalidQueryError("cursor", f"{text!r} is none", "give `next` of the answer before, or none")


def answer_of(question: Question, found: Behind) -> Leads:
    """What was found, as it is answered."""
    return Leads(
        clock=found.clock,
        known_until=Millis(found.clock - DUE_LAG),
        exact=found.exact,
        kpi=question.figure.id,
        labels=dict(question.figure.labels),
        window=question.window,
        by=question.by,
        slice=question.slice,
        of=question.of,
        leads=list(found.leads),
        next=None if found.rest is None else encode_cursor(found.rest),
    )


def _in_csv(page: Leads) -> bytes:
    out = io.StringIO()
    sheets.write(out, COLUMNS, ([getattr(lead, name) for name in COLUMNS] for lead in page.leads))
    return out.getvalue().encode(errors="replace")


def route(reader: LeadsReader) -> Route:
    """GET /api/v1/kpis/{kpi}/leads."""

    async def leads(request: Request) -> Response:
        question = parse(request.path_params["kpi"], request.query_params)
        page = answer_of(question, await reader.read(question))
        if not wants_csv(request):
            return answer(page)
        response = sheet(await asyncio.to_thread(_in_csv, page), f"leadbeat-{page.kpi}-leads.csv")
        if page.next is not None:
            address = urlencode({**request.query_params, "cursor": page.next})
            response.headers["link"] = f'<{request.url.path}?{address}>; rel="next"'
        return response

    return Route(OPERATION.path, leads)
