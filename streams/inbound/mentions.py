"""Whom a body may be about, whatever is wrong with it: rather somebody too many than one too few. Pure.

What has the form of our own events names its subjects, and nobody else is meant. In any other body each text or number may be
an id, and each name of a field; in what is no JSON, whatever stands between quotes or other punctuation. An address anywhere
(also within a text) is that of an e-mail subject.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, get_args

from models.state.subjects import LEAD, Kind
from streams.inbound.identity import email_subject

LONGEST: Final = 200
"""Characters that an id can have."""

_KINDS: Final[Mapping[str, Kind]] = {kind: kind for kind in get_args(Kind)}
_WORDS: Final = re.compile(r"[^\w.@+-]+")
"""What separates words of the plainest ids and addresses."""

_PIECES: Final = (re.compile(r'(?<!\\)"'), re.compile(r"""[\s"'<>&=,;{}()\[\]]+"""), _WORDS)
"""What separates values in what is no JSON: in something like it, in something else, and in whatever."""

_AROUND_ADDRESSES: Final = (re.compile(r"""[\s<>,;:"'()\[\]{}\\]+"""), _WORDS)


class Mention(NamedTuple):
    """Somebody by the sender's own id; `kind` None: a subject of any kind may be meant."""

    kind: Kind | None
    name: str


def mentions(body: bytes, email_key: bytes = b"") -> set[Mention]:
    """All whom a body may be about. E-mail subjects are made with the key of their connection; without one there are none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode(errors="replace")
        return _of_any_kind(_pieces(text)) | _by_addresses([text], email_key)
    found: set[Mention] = set()
    for element in told if isinstance(told, list) else [told]:
        named, values = _walked(element)
        found |= (named or _of_any_kind(values)) | _by_addresses(values, email_key)
    return found


def _walked(element: Any) -> tuple[set[Mention], set[str]]:
    """The subjects that are named as our events name them; and all texts and numbers."""
    named: set[Mention] = set()
    values: set[str] = set()
    left = [element]
    while left:
        match left.pop():
            case dict() as fields:
                kind, name = fields.get("kind"), fields.get("id")
                if isinstance(kind, str) and kind in _KINDS and isinstance(name, str | int):
                    named |= {Mention(_KINDS[kind], each) for each in _ids([str(name)])}
                values |= fields.keys()
                left += fields.values()
            case list() as elements:
                left += elements
            case str() | int() as value:
                values.add(str(value))
            case _:
                pass
    return named, values


def _pieces(text: str) -> Iterator[str]:
    for separator in _PIECES:
        for piece in separator.split(text):
            yield piece
            if "\\" in piece:
                yield _unescaped(piece)


def _unescaped(piece: str) -> str:
    try:
        return str(json.loads(f'"{piece}"'))
    except ValueError:
        return piece


def _of_any_kind(values: Iterable[str]) -> set[Mention]:
    return {Mention(None, name) for name in _ids(values)}


def _ids(values: Iterable[str]) -> Iterator[str]:
    """Those that may be ids; half of a surrogate pair is in none, and cannot be written."""
    return (value for value in values if 0 < len(value) <= LONGEST and value == value.encode(errors="ignore").decode())


def _by_addresses(texts: Iterable[str], email_key: bytes) -> set[Mention]:
    if not email_key:
        return set()
    words = {word for text in texts if "@" in text for around in _AROUND_ADDRESSES for word in around.split(text)}
    addresses = (address for word in words if "@" in word for address in (word, word.rstrip(".!?")))
    found = (email_subject(address, email_key) for address in addresses)
    return {Mention(LEAD, subject) for subject in found if subject is not None}
