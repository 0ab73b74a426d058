"""The rules that a worker goes by, which may change while it runs: those of its configuration, until others are applied.

Applied rules lie in Redis, where all look for them.
"""

from collections.abc import Callable
from contextlib import suppress

import structlog

from models.rules import Rules
from streams.errors import Fatal
from streams.tables import Redis
from streams.tables.rules import RulesDocument, in_force, put_in_force, read_rules, read_rules_version

log = structlog.get_logger(__name__)


class Ruling:
    """One worker's knowledge of the rules in force."""

    def __init__(self, redis: Redis, prefix: str, configured: Rules, on_change: Callable[[Rules], None]) -> None:
        self._redis = redis
        self._prefix = prefix
        self._configured = configured
        self._on_change = on_change
        self._applied: RulesDocument | None = None
        self._told: Rules | None = None
        self.rules = configured
        """The rules in force, as far as known."""

    async def look(self) -> None:
        """Take over rules that were applied since. It never goes back to older ones. Raises Retry and Fatal."""
        version = await read_rules_version(self._redis, self._prefix) or 0
        known = 0 if self._applied is None else self._applied.version
        if version < known:
            await self._restore()
        elif version > known:
            self._take(await read_rules(self._redis, self._prefix))
        if self._told is not self.rules:
            self._told = self.rules
            self._tell()

    async def _restore(self) -> None:
        """Redis has lost its last writes, which may have been the rules that we go by: whoever starts anew needs them."""
        if self._applied is not None:
            log.warning("rules_stored_again", version=self._applied.version)
            with suppress(Fatal):  # somebody was quicker: what is there now is seen at the next look
                await put_in_force(self._redis, self._prefix, self._applied)

    def _take(self, applied: RulesDocument | None) -> None:
        self._applied = applied
        rules = in_force(self._configured, applied)
        changed, self.rules = rules != self.rules, rules
        if changed:
            self._on_change(rules)

    def _tell(self) -> None:
        """Say in the log which rules are in force, and what is not."""
        mine, applied = self._configured, self._applied
        if applied is None or self.rules is not applied.rules:
            log.info("rules_in_force", version=self.rules.version, source="configuration")
            return
        log.info("rules_in_force", version=applied.version, source="applied", at=applied.applied_at, by=applied.applied_by)
        if mine.version == applied.version and mine != applied.rules:
            log.warning("rules_of_the_configuration_ignored", version=mine.version, todo="raise rules_version, or apply them")
