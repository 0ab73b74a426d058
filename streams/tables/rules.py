"""The rules that were applied while everything ran: every version as one document that never changes, the newest in force."""

from typing import Final

import msgspec
from msgspec import Struct

from models.errors import UNREADABLE
from models.rules import Rules
from models.units import Millis
from streams.errors import Fatal, Retry
from streams.tables.keys import rules_key
from streams.tables.server import Redis, ask, load_script, reaching, run_script

NEWEST: Final = "version"
"""The field that names the version in force."""


class RulesDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """Rules as they were applied: when (ms UTC), and by whom."""

    rules: Rules
    applied_at: Millis
    applied_by: str

    @property
    def version(self) -> int:
        """The version of the rules."""
        return self.rules.version


def in_force(configured: Rules, applied: RulesDocument | None) -> Rules:
    """Which rules count: the newer ones; of equal versions those applied, as everybody sees the same of these."""
    return applied.rules if applied is not None and applied.version >= configured.version else configured


async def read_rules(redis: Redis, prefix: str) -> RulesDocument | None:
    """The rules in force; None if none were ever applied. Raises Retry, and Fatal for what this release cannot read."""
    key = rules_key(prefix)
    with reaching(key):
        version = await ask(redis, "HGET", key, NEWEST)
        stored = None if version is None else await ask(redis, "HGET", key, version)
    return None if stored is None else _decode(stored, key)


async def read_rules_version(redis: Redis, prefix: str) -> int | None:
    """The version of the rules in force. Raises Retry and Fatal."""
    key = rules_key(prefix)
    with reaching(key):
        version = await ask(redis, "HGET", key, NEWEST)
        return None if version is None else int(version)


async def read_all_rules(redis: Redis, prefix: str) -> list[RulesDocument]:
    """All rules that were ever applied, oldest first. Raises Retry and Fatal."""
    key = rules_key(prefix)
    with reaching(key):
        stored: dict[bytes, bytes] = await ask(redis, "HGETALL", key)
    documents = [_decode(text, key) for version, text in stored.items() if version != NEWEST.encode()]
    return sorted(documents, key=lambda document: document.version)


async def put_in_force(redis: Redis, prefix: str, document: RulesDocument) -> None:
    """Store rules as those in force. The same again changes nothing. Raises Fatal if newer ones, or others, are; and Retry."""
    key = rules_key(prefix)
    with reaching(key):
        script = load_script("streams.tables", "rules.lua")
        kind, told = await run_script(redis, script, [key], [document.version, msgspec.json.encode(document)])
    match kind:
        case b"OK":
            return
        case b"HELD":
            raise Retry(key, f"Redis takes no writes: {told.decode()}", "make room or repair it; nothing was changed")
        case b"OLDER":
            what = f"version {told.decode()} has been put in force, so {document.version} is no newer"
            raise Fatal("rules", what, "see what it says (leadbeat rules diff), then apply the next version")
        case _:
            raise Fatal(key, told.decode(), "find out who else writes under this prefix")


def _decode(stored: bytes, key: str) -> RulesDocument:
    try:
        return msgspec.json.decode(stored, type=RulesDocument)
    except UNREADABLE as error:
        todo = "if a newer Leadbeat has applied them, run that one; else find out who else writes under this prefix"
        raise Fatal(key, f"are not rules that this release knows: {error}", todo) from None
