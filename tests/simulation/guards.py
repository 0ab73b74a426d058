"""The guards that keep what is stored exact, and how each is taken out: in the text of a script, or of one method."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any, Final
from unittest.mock import patch

from aiokafka.errors import KafkaError

from streams.errors import Retry
from streams.inbound.normaliser import Normaliser
from streams.processing.checkpoint import Answer, Outcome, claim_partition, commit, new_token
from streams.processing.outbox import Outbox
from streams.processing.owner import Owner, start_of, writes_of
from streams.processing.processor import decode_ticks
from streams.processing.start import Start
from streams.topics import TICK_KEY, decode_tick
from streams.transport.batch import LogEnds

Replaced = tuple[str, Any]
"""What is replaced, by its whole name, and by what."""


@dataclass(frozen=True)
class Guard:
    """One of them, without which what is told of it comes to pass."""

    told: str
    scripts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By script, which text is replaced by which."""
    code: Callable[[], list[Replaced]] = list

    def texts(self) -> dict[str, str]:
        """The scripts without the guard."""
        found = {}
        for name, (there, instead) in self.scripts.items():
            source = files("streams.processing").joinpath(name).read_text(encoding="utf-8")
            assert source.count(there) == 1, f"{name} has changed"
            found[name] = source.replace(there, instead)
        return found

    @contextmanager
    def taken_out(self) -> Iterator[None]:
        """Within, the code does without it."""
        patches = [patch(name, instead) for name, instead in self.code()]
        for each in patches:
            each.start()
        try:
            yield
        finally:
            for each in patches:
                each.stop()


def _kept_memory() -> list[Replaced]:
    """What is refused claims anew and goes on from what it remembers."""

    def lost(self: Owner, tp: Any, *_: Any) -> None:
        owned = self.owned[tp]

        async def again() -> None:
            held = await claim_partition(self._redis, owned.keys, self.terms.partitions, new_token())
            owned.applied = replace(held, progress=owned.applied.progress)
            owned.under_way = None
            owned.partition.saved()
            self._control.release(tp)

        owned.under_way = asyncio.create_task(again())

    return [("streams.processing.owner.Owner._lost", lost)]


def _taken_for_stored() -> list[Replaced]:
    """A checkpoint is sent once, and taken for stored if no answer comes."""

    async def once(redis: Any, checkpoint: Any, *_: Any) -> Answer:
        try:
            return await commit(redis, checkpoint)
        except Retry:
            return Answer(Outcome.OK)

    return [("streams.processing.owner.commit_until_definite", once)]


def _several_under_way() -> list[Replaced]:
    """The next checkpoint does not wait for the answer to the one before."""

    def consider(self: Owner, tp: Any, owned: Any) -> None:
        late = owned.changed_at is not None and asyncio.get_running_loop().time() - owned.changed_at >= self.terms.checkpoint_s
        if late:
            self._begin(tp, owned)

    return [("streams.processing.owner.Owner._consider", consider)]


def _forgotten_messages() -> list[Replaced]:
    """What could not be sent is trimmed all the same."""

    async def publish(self: Outbox) -> Answer:
        with suppress(KafkaError):
            await self._producer.send_all([each for _, each in self._waiting])
        self._sent = max((seq for seq, _ in self._waiting), default=self._sent)
        self._waiting.clear()
        return await self._trim()

    return [("streams.processing.outbox.Outbox.publish", publish)]


def _messages_before_checkpoints() -> list[Replaced]:
    begin = Owner._begin

    def told_first(self: Owner, tp: Any, owned: Any) -> None:
        waiting = list(owned.partition._outgoing)
        begin(self, tp, owned)
        sending = self._producer.send_all(waiting)
        asyncio.create_task(_quietly(sending))  # noqa: RUF006 - the world keeps it

    return [("streams.processing.owner.Owner._begin", told_first)]


async def _quietly(sending: Any) -> None:
    with suppress(KafkaError):
        await sending


def _any_state() -> list[Replaced]:
    """What is read is taken for ours, whatever Redis holds just then."""
    return [("streams.processing.owned.Owned.checked", lambda _: lambda _: None)]


def _any_totals() -> list[Replaced]:
    """What is read while a partition is loaded is taken for what was claimed."""
    unchecked = lambda *_: lambda _: None  # noqa: E731
    return [(f"streams.processing.{place}.claimed_as", unchecked) for place in ("owner", "outbox", "revaluation")]


def _any_record() -> list[Replaced]:
    async def unknown(*_: Any) -> None:
        return None

    return [("streams.transport.batch.LogEnds.fingerprint_before", unknown)]


def _any_length() -> list[Replaced]:
    async def anywhere(where: str, progress: Any, log_ends: LogEnds, **options: Any) -> Start:
        if progress.offset is not None and not log_ends.earliest <= progress.offset <= log_ends.end:
            return Start(min(max(progress.offset, log_ends.earliest), log_ends.end))
        return await start_of(where, progress, log_ends, **options)

    return [("streams.processing.owner.start_of", anywhere)]


def _no_canary() -> list[Replaced]:
    async def anew(where: str, progress: Any, log_ends: LogEnds, **options: Any) -> Start:
        return Start(log_ends.earliest) if progress.offset is None else await start_of(where, progress, log_ends, **options)

    return [("streams.processing.owner.start_of", anew)]


def _committed_offset() -> list[Replaced]:
    """Reading starts where Kafka says, not where the tables stand."""

    async def committed(where: str, progress: Any, log_ends: LogEnds, **options: Any) -> Start:
        start = await start_of(where, progress, log_ends, **options)
        return Start(await log_ends.committed() or start.offset)

    return [("streams.processing.owner.start_of", committed)]


def _any_valuation() -> list[Replaced]:
    return [
        ("streams.processing.owner.decode_valuation", lambda _: _Same()),
        ("streams.processing.owner.check_not_older", lambda *_: None),
        ("streams.processing.owner.Owner._is_stale", lambda *_: False),
    ]


class _Same:
    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def _kept_panes() -> list[Replaced]:
    return [("streams.processing.owner.writes_of", lambda cut: replace(writes_of(cut), dropped=()))]


def _kept_members() -> list[Replaced]:
    return [("streams.processing.owner.writes_of", lambda cut: replace(writes_of(cut), expired={}))]


def _unwritten_due() -> list[Replaced]:
    return [("streams.processing.owner.writes_of", lambda cut: replace(writes_of(cut), due={}))]


def _wall_time() -> list[Replaced]:
    """Ticks are taken for a sign to look at the clock."""

    def now(value: bytes | None) -> dict[int, int] | None:
        ticks = decode_ticks(value)
        from streams.processing import owner  # noqa: PLC0415 - whose time is made up

        return ticks and dict.fromkeys(ticks, int(owner.time.time()))

    return [("streams.processing.processor.decode_ticks", now)]


def _hasty_time() -> list[Replaced]:
    """Time is passed on before Kafka has what came before it."""
    apply = Normaliser.apply

    async def hastily(self: Normaliser, tp: Any, records: Any) -> None:
        for record in records:
            at = decode_tick(record.value) if record.key == TICK_KEY else None
            if at is not None:
                self.relay.heard(tp.partition, at)
        await apply(self, tp, records)

    return [("streams.inbound.normaliser.Normaliser.apply", hastily)]


def _forgotten_erasures() -> list[Replaced]:
    return [("streams.processing.hashing.Tombstones.__contains__", lambda *_: False)]


FENCE: Final = "if stored[2] ~= token then"
SEQUENCE: Final = "if now ~= expected then"
DUP: Final = "if now == expected + 1 then return {'DUP', ''} end"

GUARDS: Final = {
    "the fence": Guard("whoever lost a partition writes on", {"checkpoint.lua": (FENCE, "if false then")}),
    "the sequence": Guard("what Redis lost is built upon", {"checkpoint.lua": (SEQUENCE, "if false then")}),
    "DUP": Guard("what is sent again is taken for another", {"checkpoint.lua": (DUP, "")}),
    "memory dropped after a refusal": Guard("it goes on from what is not stored", code=_kept_memory),
    "sent until definite": Guard("an unanswered checkpoint is taken for stored", code=_taken_for_stored),
    "one checkpoint at a time": Guard("the second is taken for the first sent again", code=_several_under_way),
    "messages kept until acknowledged": Guard("alerts are lost", code=_forgotten_messages),
    "messages behind their checkpoint": Guard("what is not stored is told", code=_messages_before_checkpoints),
    "reads that say of what they are": Guard("what an emptied Redis says of a lead is believed", code=_any_state),
    "loads that say of what they are": Guard("totals of an emptied Redis are taken over", code=_any_totals),
    "the fingerprint": Guard("another log is applied", code=_any_record),
    "the log's bounds": Guard("records are passed over", code=_any_length),
    "the committed offset as canary": Guard("an emptied Redis is counted from nothing", code=_no_canary),
    "the stored offset": Guard("what Redis lost is not read again", code=_committed_offset),
    "the valuation": Guard("what other rules added is taken away by ours", code=_any_valuation),
    "panes deleted in the checkpoint": Guard("panes stay for ever", code=_kept_panes),
    "members deleted in the checkpoint": Guard("members stay for ever", code=_kept_members),
    "due instants in the checkpoint": Guard("deadlines are missed after a crash", code=_unwritten_due),
    "log time": Guard("deadlines fire by the clock of a machine", code=_wall_time),
    "time behind the facts": Guard("time overtakes the facts", code=_hasty_time),
    "tombstones": Guard("whoever was erased comes back", code=_forgotten_erasures),
}
"""By name."""

UNNOTICED: Final = ("messages behind their checkpoint",)
"""Whose lack does not show: what is told follows from the log, so whoever tells it too early tells what is told anyway."""
