"""Leads merged over partitions: once all is quiet, the totals are as if all had been told of one lead from the start."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from itertools import islice
from random import Random
from typing import Any, NoReturn

import build
import msgspec
import pytest
import strategies
import strategies_rules
import strategies_subjects
from build import DAY, HOUR, MINUTE, NOON, RULES, SECOND
from engine import Engine, panes_of, sums_of
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import HASHING, SMALL, Store, record

from models.errors import InvalidEventError
from models.events import Event, Logged, decode, decode_logged, encode
from models.units import Millis
from streams.local.truth_facts import belonging
from streams.processing.adding_up import AddingUp
from streams.processing.partition import QUIET
from streams.processing.processor import Stored, process
from streams.processing.writes import writes_of
from streams.tables import Outgoing, Progress
from streams.topics import partition_of, record_key

PARTITIONS = 3
EVENTS = "crm.events.v1"


class Member:
    """A partition of the cluster: its log, what is stored of it, its memory, and what of its outbox was not sent yet."""

    def __init__(self, number: int, rules: Any, rng: Random) -> None:
        self.rules, self.rng = rules, rng
        self.log: list[Logged | dict[int, int]] = []
        self.store = Store(number, PARTITIONS, SMALL)
        self.before = deepcopy(self.store)
        self.partition = self.store.load(rules, capacity=2)
        self.offset = 0

    @property
    def quiet(self) -> bool:
        return self.offset == len(self.log) == self.store.progress.offset and not self.store.sent

    async def work(self) -> None:
        items = self.log[self.offset : self.offset + self.rng.randint(1, 6)]
        records = [record(self.offset + place, item) for place, item in enumerate(items)]
        store = self.store
        await process(self.partition, records, Stored(store.states_of, store.parts_of, store.due_between), refused)
        self.offset += len(records)

    def save(self) -> None:
        progress = Progress(self.offset, "", self.partition.clock, dict(self.partition.ticks))
        self.before = deepcopy(self.store)
        self.store.write(writes_of(self.partition.cut()), progress)
        self.partition.saved()

    def crash(self, *, lost: bool) -> None:
        """Die; if `lost`, Redis has also lost the last checkpoint, which may have been published."""
        if lost:
            self.store = deepcopy(self.before)
        self.partition = self.store.load(self.rules, capacity=2)
        self.offset = self.store.progress.offset or 0


class Cluster:
    """Partitions that work, save, publish and die in any order, until all is quiet."""

    def __init__(self, events: Sequence[Event], rules: Any, seed: int, clock: int = NOON, *, rough: bool = True) -> None:
        self.rng, self.rough, self.clock = Random(seed), rough, clock
        self.members = [Member(number, rules, self.rng) for number in range(PARTITIONS)]
        self.events = list(events)
        self.sent: list[Outgoing] = []
        asyncio.run(self.go())
        asyncio.run(self.settle())

    async def go(self) -> None:
        for event in self.events:
            self.member_of(event).log.append(event)
            if self.rough and self.rng.random() < 0.2:
                self.tick(self.clock - self.rng.randint(1, 30) * MINUTE)
            if self.rng.random() < 0.5:
                await self.step()
        while not all(member.quiet for member in self.members):
            await self.step()

    def member_of(self, event: Logged) -> Member:
        return self.members[partition_of(record_key(event.subject.id), PARTITIONS)]

    async def step(self) -> None:
        member = self.rng.choice(self.members)
        await member.work()
        if self.rng.random() < 0.5:
            member.save()
        if self.rng.random() < 0.5:
            self.publish(member)
        if self.rough and self.rng.random() < 0.1:
            member.crash(lost=self.rng.random() < 0.3)

    def publish(self, member: Member) -> None:
        """Send what waits, in any order; some of it is not known to be sent, and will be sent again."""
        waiting = member.store.sent
        self.rng.shuffle(waiting)
        for message in waiting[: self.rng.randint(0, len(waiting))]:
            if message.topic == EVENTS:
                assert message.partition is not None
                self.members[message.partition].log.append(decode_logged(message.value))
                self.sent.append(message)
            if not (self.rough and self.rng.random() < 0.2):
                waiting.remove(message)

    def tick(self, clock: int) -> None:
        for member in self.members:
            member.log.append(dict.fromkeys(range(PARTITIONS), clock // SECOND))

    async def settle(self) -> None:
        """The last tick, and all that follows."""
        self.tick(self.clock)
        while not all(member.quiet for member in self.members):
            for member in self.members:
                await member.work()
                member.save()
                self.publish(member)

    def totals(self) -> tuple[Counter[Any], Counter[Any]]:
        """The sums of all windows and of all panes over the partitions."""
        sums: Counter[Any] = Counter()
        panes: Counter[Any] = Counter()
        for member in self.members:
            add_up(member.partition.totals, sums, panes)
        return sums, panes


def add_up(totals: Any, sums: Counter[Any], panes: Counter[Any]) -> None:
    for name, amounts in sums_of(totals).items():
        sums.update({(name, place): amount for place, amount in enumerate(amounts)})
    for pane, cells in panes_of(totals).items():
        panes.update({(pane, name): amount for name, amount in cells.items()})


def added_up_anew(cluster: Cluster, rules: Any, clock: int) -> tuple[Counter[Any], Counter[Any]]:
    """The sums of all that is stored, as a re-valuation makes them."""
    sums: Counter[Any] = Counter()
    panes: Counter[Any] = Counter()
    for member in cluster.members:
        partition = Store(member.store.number, PARTITIONS, SMALL).load(rules, capacity=1)
        partition.totals.advance(Millis(clock))
        AddingUp(partition, set()).take(member.store.whole_states())
        add_up(partition.totals, sums, panes)
    return sums, panes


def nonzero(totals: Sequence[Counter[Any]]) -> list[dict[Any, int]]:
    return [{key: amount for key, amount in counted.items() if amount} for counted in totals]


def refused(_: Any, error: InvalidEventError) -> NoReturn:
    raise error


def told_of_survivors(events: Sequence[Event], rules: Any, clock: int) -> Engine:
    """One partition that was told everything of those in whom it ends."""
    engine = Engine(rules)
    for survivor, history in belonging([msgspec.json.decode(encode(event)) for event in events]).items():
        subject = {"kind": "lead", "id": survivor}
        engine.take(
            *(decode(msgspec.json.encode(event | {"subject": subject})) for event in history if event["type"] != "merged")
        )
    # Accounts are told of replies by the leads that count, so they are as they are.
    return engine.take(*(event for event in events if event.subject.kind == "account")).tick(clock)


ACCOUNTS = ("account/crm:a1", "account/crm:a2")


@st.composite
def of_accounts(draw):
    """What happens to the accounts that leads belong to: anything, merges, an erasure."""
    merges = st.builds(
        lambda of, into, version: build.merged(into if into != of else None, of=of, **version),
        st.sampled_from(ACCOUNTS),
        st.sampled_from((*ACCOUNTS, "account/crm:a3", None)),
        strategies.VERSIONS,
    )
    told = st.lists(st.one_of(merges, *map(strategies_subjects.events, ACCOUNTS)), max_size=5)
    erased = draw(st.sampled_from((None, None, None, *ACCOUNTS)))
    return [*draw(told), *([] if erased is None else [build.erased(of=erased)])]


CLOCKS = st.sampled_from((NOON, NOON + 7 * MINUTE, NOON + HOUR, NOON + 9 * 24 * HOUR))


@settings(max_examples=settings().max_examples // 2)
@given(strategies.families(5), of_accounts(), strategies_rules.rules(), st.integers(0, 2**30), CLOCKS, st.data())
def test_totals_over_partitions_are_those_of_survivors_that_were_told_everything(leads, accounts, rules, seed, clock, data):
    events = data.draw(st.permutations([*leads, *accounts]))
    cluster = Cluster([*events, *events[:2]], rules, seed, clock)
    sums, panes = Counter(), Counter()
    truth = told_of_survivors(events, rules, clock)
    add_up(truth.totals, sums, panes)
    assert nonzero(cluster.totals()) == nonzero((sums, panes))
    assert nonzero(added_up_anew(cluster, rules, clock)) == nonzero((sums, panes))
    due = {of: meaning.next_change for of, meaning in truth.meanings.items() if meaning.next_change}
    assert {of: at for member in cluster.members for of, at in member.store.due.items()}.keys() >= due.keys()
    waiting = {of for of, meaning in truth.meanings.items() if meaning.waiting}
    assert {clock.subject for member in cluster.members for clock in member.store.open} == waiting


def test_a_merged_lead_waits_no_more_and_its_survivor_waits_for_both():
    asked = build.lead(of="lead-1", created_at=NOON, owner="ana")
    told = [asked, build.lead(of="lead-2", owner="ben"), build.merged("lead-2", of="lead-1")]
    cluster = Cluster(told, RULES, 1, NOON + MINUTE)
    waiting = {clock.subject: since for member in cluster.members for clock, since in member.store.open.items()}
    assert waiting == {"lead-2": NOON}


def test_a_message_goes_to_the_partition_and_key_of_its_target_under_a_name_of_its_own():
    cluster = Cluster([build.call("t1", NOON, of="lead-1"), build.merged("lead-2", of="lead-1")], RULES, 1, rough=False)
    (message,) = cluster.sent
    event = decode_logged(message.value)
    assert (message.key, message.partition) == (b"lead:lead-2", partition_of(b"lead:lead-2", PARTITIONS))
    assert event.channel == HASHING.digest("lead-1").hex()
    assert message.id == event.id == f"absorbed-{HASHING.digest('lead-2', 'lead-1').hex()}-{event.sequence}"


def words(log, cuts, known=(), of="lead-1"):
    """What a partition tells others of a log that is cut into batches: by target and channel all words with their sequences."""
    member = Member(0, RULES, Random(1))
    member.partition.remember(dict.fromkeys(event.subject.id for event in (*known, *log)))
    member.partition.apply(enumerate(known))
    offsets = iter(enumerate(log, len(known)))
    sent = member.partition.cut().outgoing
    for size in cuts:
        member.partition.apply(islice(offsets, size))
        sent += member.partition.cut().outgoing
    told: dict[tuple[str, str], dict[int, bytes]] = {}
    for message in sent:
        event = decode_logged(message.value)
        assert told.setdefault((event.subject.id, event.channel), {}).setdefault(event.sequence, event.lead) == event.lead
    assert len({message.id for message in sent}) == len(sent)
    return told


LEAD_OF_AN_ACCOUNT = build.lead(created_at=NOON, owner="ana", account="crm:a1")


@pytest.mark.parametrize(
    "log",
    [
        [build.merged("lead-2"), build.merged(None, changed_at=NOON + HOUR)],
        [build.reply("r1", at=NOON), build.deleted("reply:r1", changed_at=NOON + HOUR)],
        [build.reply("r1", at=NOON), build.lead(account="crm:a2", changed_at=NOON + HOUR), build.erased()],
        [build.merged("lead-2"), build.reply("r1", at=NOON), build.merged("lead-3", changed_at=NOON + HOUR)],
        [build.merged("lead-2"), build.call("t2", NOON), build.deleted("touch:t2", changed_at=NOON + HOUR)],
    ],
)
@pytest.mark.parametrize("lost", [[1], [2], [1, 1]], ids=str)
@pytest.mark.parametrize("again", [[9], [2, 9], [3, 9], [1, 1, 1, 9]], ids=str)
def test_what_was_sent_before_a_checkpoint_was_lost_is_taken_back_however_the_log_is_cut_then(log, lost, again):
    """Redis loses a checkpoint whose messages are out; the log is read again, in other batches."""
    known = [LEAD_OF_AN_ACCOUNT, build.call("t1", NOON)]
    log = [*log, build.call("t9", NOON)]
    before, after, smooth = words(log, lost, known), words(log, again, known), words(log, [len(log)], known)
    for place in before.keys() | after.keys() | smooth.keys():
        arrived = dict(before.get(place, {}))
        for sequence, word in after.get(place, {}).items():
            assert arrived.setdefault(sequence, word) == word
        quiet = smooth.get(place, {0: b""})
        assert arrived[max(arrived)] == quiet[max(quiet)]


def test_what_a_lead_gives_is_packed_once_for_a_batch():
    log = [build.merged("lead-2"), *(build.call(f"t{number}", NOON + number) for number in range(50))]
    assert [sorted(found) for found in words(log, [51]).values()] == [[50]]


def test_what_an_event_does_not_change_is_not_told_again():
    log = [build.call("t2", NOON), build.lead(segment="smb"), build.reply("r1", at=NOON, changed_at=NOON - HOUR)]
    told = words(log, [1, 1, 1], [LEAD_OF_AN_ACCOUNT, build.reply("r1", at=NOON), build.call("t1", NOON)])
    assert {place: sorted(found) for place, found in told.items()} == {("account/crm:a1", HASHING.digest("lead-1").hex()): [1]}


def test_a_lead_whose_replies_are_forgotten_takes_back_what_it_told_of_them():
    member = Member(0, RULES, Random(1))
    told = [LEAD_OF_AN_ACCOUNT, build.reply("r1", at=NOON)]
    member.log += [*told, *ticked(NOON + 1000 * DAY), *ticked(NOON + 1000 * DAY + QUIET + HOUR), build.erased()]
    while not member.offset == len(member.log) == member.store.progress.offset:
        asyncio.run(member.work())
        member.save()
        member.crash(lost=False)
    first, last = (decode_logged(message.value) for message in member.store.sent)
    assert (first.subject.id, bool(first.lead)) == ("account/crm:a1", True)
    assert (last.subject.id, last.path, last.lead) == ("account/crm:a1", (), b"")
    assert last.sequence > first.sequence


def stored(cluster: Cluster) -> bytes:
    """All that lies in the stores."""
    return repr([vars(member.store) for member in cluster.members]).encode()


@given(strategies.families(4), st.integers(0, 2**30), CLOCKS)
def test_of_an_erased_lead_that_nobody_was_merged_into_nothing_is_stored(events, seed, clock):
    gone = build.erased(of="lead-1")
    events = [event for event in events if getattr(event, "into", None) is None or event.into.id != "lead-1"]
    cluster = Cluster([*events, gone, *events], RULES, seed, clock)
    assert b"lead-1" not in stored(cluster)


def test_an_erased_lead_of_which_an_alert_was_sent_is_stored_until_that_is_taken_back():
    member = Member(0, RULES, Random(1))
    member.log += [build.lead(created_at=NOON, owner="ana"), *ticked(NOON + HOUR)]

    def sent() -> list[str]:
        while not member.offset == len(member.log) == member.store.progress.offset:
            asyncio.run(member.work())
            member.save()
        return [msgspec.json.decode(message.value)["type"] for message in member.store.sent]

    assert sent() == []  # it is an hour too late for them
    member.log += [build.lead(created_at=NOON + HOUR, changed_at=NOON + HOUR), *ticked(NOON + HOUR + 6 * MINUTE)]
    assert sent() == ["warning", "warning", "breach"]
    member.log.append(build.erased())
    assert sent() == ["warning", "warning", "breach"]
    member.crash(lost=False)
    member.log += ticked(NOON + HOUR + 7 * MINUTE)
    assert sorted(sent()) == sorted(["warning", "warning", "breach", *["retracted"] * 3])
    assert (member.store.states, member.store.due, member.store.erased) == ({}, {}, {HASHING.digest("lead-1")})


def ticked(clock: int) -> list[dict[int, int]]:
    return [dict.fromkeys(range(PARTITIONS), clock // SECOND)]
