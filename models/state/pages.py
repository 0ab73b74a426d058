"""The touches of a huge lead, in pages: in memory are only those that events speak of.

A hash of its name says in which page a touch lies. Pages become more one by one, each new one taking half of an old one
(linear hashing: Litwin, 1980), so that it takes a number to know where all is. What is no touch stays with the lead itself, for
it decides about all of the lead; so do touches that a reply names, as it is asked where they stand whenever it is read.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias
from zlib import crc32

import msgspec
from msgspec import Struct, field

from models.errors import UNREADABLE, InvalidStateError
from models.state.registers import Record

ObjectKey: TypeAlias = str
"""The object's kind, a colon, its id: `touch:42`."""

Objects: TypeAlias = dict[ObjectKey, Record]

SIZE: Final = 256
"""Touches in a page, on average, above which there is to be one page more."""

_TOUCH: Final = "touch:"
_REPLY: Final = "reply:"
_NAMES: Final = "in_reply_to"

_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(Objects)


class Pages(Struct):
    """How many pages and touches in them there are, which pages are in memory, and which of these Redis has otherwise.

    `own` are always the objects that stay with the lead; `named` the touches that its replies name.
    """

    count: int
    touches: int
    size: int = SIZE
    named: set[ObjectKey] = field(default_factory=set)
    held: dict[int, Objects] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)

    def page_of(self, key: ObjectKey) -> int:
        """In which page a touch lies."""
        level = 1 << self.count.bit_length() - 1
        digest = crc32(key.encode())
        page = digest % (2 * level)
        return page if page < self.count else digest % level

    def stays(self, key: ObjectKey, own: Objects) -> bool:
        """Whether an object is with the lead itself, or will be."""
        return not key.startswith(_TOUCH) or key in own or key in self.named

    def home(self, key: ObjectKey, own: Objects) -> Objects:
        """The objects among which one is, or will be; its page must be in memory."""
        return own if self.stays(key, own) else self.held[self.page_of(key)]

    def missing(self, keys: Iterable[ObjectKey], own: Objects) -> set[int]:
        """The pages that are not in memory and must be there before something is told of some objects."""
        wanted = {self.page_of(key) for key in keys if not self.stays(key, own)}
        if wanted and self.touches >= self.size * self.count:
            wanted.add(self._next())
        return wanted - self.held.keys()

    def missing_of_all(self) -> set[int]:
        """All pages that are not in memory."""
        return set(range(self.count)) - self.held.keys()

    def take(self, number: int, packed: bytes | None) -> None:
        """Take in a page as it is stored; None for an empty one. Raises InvalidStateError."""
        if number not in self.held:
            self.held[number] = unpacked(packed) if packed else {}

    def fill(self, touches: Objects) -> None:
        """Take in all touches that lie in pages."""
        self.held = {number: {} for number in range(self.count)}
        for key, record in touches.items():
            self.held[self.page_of(key)][key] = record

    def note(self, key: ObjectKey, own: Objects, record: Record, *, new: bool) -> None:
        """An object was changed where it is."""
        if key.startswith(_REPLY):
            self._name(record, own)
        elif not self.stays(key, own):
            self.changed.add(self.page_of(key))
            if new:
                self.touches += 1
                while self.touches > self.size * self.count and self._next() in self.held:
                    self._split()

    def _name(self, reply: Record, own: Objects) -> None:
        """Have the touch that a reply names stay with the lead."""
        for name in names_in(reply) - self.named - own.keys():
            page = self.page_of(name)
            self.named.add(name)
            if name in self.held[page]:
                own[name] = self.held[page].pop(name)
                self.changed.add(page)
                self.touches -= 1

    def _next(self) -> int:
        """The page that is to be split next."""
        return self.count - (1 << self.count.bit_length() - 1)

    def _split(self) -> None:
        old, new = self._next(), self.count
        self.count += 1
        held = self.held[old]
        self.held[new] = {key: held.pop(key) for key in list(held) if self.page_of(key) == new}
        self.changed |= {old, new}

    def everything(self, own: Objects) -> Objects:
        """All objects of the lead, to be read only. Raises ValueError if not all pages are in memory."""
        if missing := self.missing_of_all():
            raise ValueError(f"{len(missing)} of {self.count} pages are not in memory")
        objects = dict(own)
        for number in range(self.count):
            objects.update(self.held[number])
        return objects

    def cut(self) -> dict[int, bytes | None]:
        """The pages that have changed since the last cut, packed; None for empty ones."""
        changed, self.changed = self.changed, set()
        return {number: _packer.encode(page) if (page := self.held[number]) else None for number in changed}

    def saved(self) -> None:
        """What was cut is stored: let go of all pages but those that have changed since."""
        self.held = {number: self.held[number] for number in self.changed}


def paged(own: Objects, size: int = SIZE) -> Pages:
    """Pages for a lead's touches, which are moved to them. All are in memory, and Redis has none."""
    named = named_in(own)
    touches = {key: own.pop(key) for key in list(own) if key.startswith(_TOUCH) and key not in named}
    pages = Pages(max(1, -(-len(touches) // size)), len(touches), size, named)
    pages.fill(touches)
    pages.changed = set(pages.held)
    return pages


def named_in(own: Mapping[ObjectKey, Record]) -> set[ObjectKey]:
    """The touches that replies among some objects name."""
    return {name for key, record in own.items() if key.startswith(_REPLY) for name in names_in(record)}


def names_in(reply: Record) -> set[ObjectKey]:
    """The touch that a reply names, if any."""
    return {f"{_TOUCH}{fields[_NAMES]}" for _, _, fields in reply if fields.get(_NAMES) is not None}


def unpacked(packed: bytes) -> Objects:
    """The objects of a page. Raises InvalidStateError."""
    try:
        return _unpacker.decode(packed)
    except UNREADABLE as error:
        raise InvalidStateError("page", error) from None
