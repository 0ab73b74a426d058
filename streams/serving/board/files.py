"""The page's own files, as the browser gets them: held in memory, revalidated, and allowed to do nothing but their work."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""What is served, by how a name ends; other files lie beside them for those who read the code."""

POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)

HEADERS: Final = {"content-security-policy": "; ".join(POLICY), "cache-control": "no-cache"}
"""The page loads and talks to nothing but us, runs no inline script, makes no markup out of text, and stands in no frame."""


class File(NamedTuple):
    """One file of the page."""

    content: bytes
    content_type: str
    etag: str


def load() -> dict[str, File]:
    """All files, by their path below the page's folder."""
    return dict(_walk(files(__package__) / "page", ""))


def _walk(folder: Traversable, above: str) -> Iterator[tuple[str, File]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _walk(entry, f"{above}{entry.name}/")
        elif content_type := CONTENT_TYPES.get(entry.name[entry.name.rfind(".") :]):
            content = entry.read_bytes()
            yield above + entry.name, File(content, content_type, f'"{sha256(content).hexdigest()[:32]}"')


def build_of(page: Mapping[str, File]) -> str:
    """A name for these very files, by which an open page learns that it is of yesterday."""
    return sha256("".join(f"{name}{file.etag}" for name, file in page.items()).encode()).hexdigest()[:16]


PATHS: Final = ("/", "/board/{name:path}")
"""Of the page, and of what it is made of."""


def routes(page: Mapping[str, File]) -> list[Route]:
    """GET of each of these."""

    async def index(request: Request) -> Response:
        return _response(request, page["index.html"])

    async def part(request: Request) -> Response:
        file = page.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        return _response(request, file)

    return [Route(path, endpoint) for path, endpoint in zip(PATHS, (index, part), strict=True)]


def _response(request: Request, file: File) -> Response:
    headers = {**HEADERS, "etag": file.etag}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers={**headers, "content-type": file.content_type})
