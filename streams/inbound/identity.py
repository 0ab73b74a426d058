"""Who a fact is about where a CRM knows the person by an e-mail address alone. Pure, and without state.

Such a fact goes to the subject `email:<keyed hash of the address>`. When a record of a person carries the address, the subject
is merged into the person; when it carries the address no longer, that is undone. Addresses themselves are kept nowhere.
"""

import hashlib
from collections.abc import Iterable, Iterator
from email.utils import parseaddr
from typing import Final, TypeAlias

SubjectId: TypeAlias = str
"""The id of a subject as its CRM has it, still without the connection."""

DIGEST_BYTES: Final = 16


def address_in(text: str) -> str | None:
    """The address of `Name <address>` or of a bare one, in small letters; None if there is none."""
    _, address = parseaddr(text)
    local, _, domain = address.strip().casefold().rpartition("@")
    return f"{local}@{domain}" if local and domain else None


def email_subject(text: str, key: bytes) -> SubjectId | None:
    """The subject of an address, however it is written; None if there is no address. `key` has 1 to 64 bytes."""
    address = address_in(text)
    if address is None:
        return None
    return f"email:{hashlib.blake2b(address.encode(errors='replace'), key=key, digest_size=DIGEST_BYTES).hexdigest()}"


def links(
    person: SubjectId, carried: Iterable[str], no_longer: Iterable[str], key: bytes
) -> Iterator[tuple[SubjectId, SubjectId | None]]:
    """Each e-mail subject that a person's record speaks of, and whom it is merged into: the person, or nobody any more."""
    now = sorted({subject for text in carried if (subject := email_subject(text, key))})
    before = sorted({subject for text in no_longer if (subject := email_subject(text, key))})
    yield from ((subject, person) for subject in now)
    yield from ((subject, None) for subject in before if subject not in now)
