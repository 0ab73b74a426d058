"""A huge lead in pages is the lead: whatever is told of it, in any order, with any pages in memory; and so are its rows."""

from itertools import pairwise

import build
import pytest
import strategies
from build import MINUTE, NOON, RULES, folded
from hypothesis import given
from hypothesis import strategies as st

from models.codes import Codes
from models.errors import InvalidStateError
from models.state.facts import CONNECTED, Touch, facts, facts_with, pack_touch, touch_of, touch_rows
from models.state.lead import Lead, fold, is_huge, joined, pack, spoken_of, unpack, unpack_head
from models.state.pages import paged
from models.state.rows import TouchRows, in_chunks

CODES = Codes(RULES)
SIZE = 3


class Stored:
    """A huge lead of which only what is needed is in memory, and what lies in Redis."""

    def __init__(self, lead: Lead) -> None:
        self.lead = lead
        self.pages: dict[int, bytes] = {}
        self.save()

    def tell(self, event) -> None:
        pages = self.lead.pages
        assert pages is not None
        for number in pages.missing(spoken_of(event), self.lead.objects):
            pages.take(number, self.pages.get(number))
        fold(self.lead, event)

    def save(self) -> None:
        pages = self.lead.pages
        assert pages is not None
        for number, packed in pages.cut().items():
            if packed is None:
                self.pages.pop(number, None)
            else:
                self.pages[number] = packed
        self.head = pack(self.lead, {})
        pages.saved()

    def reload(self) -> None:
        self.save()
        self.lead, _ = unpack_head(self.head, SIZE)

    @property
    def whole(self) -> Lead:
        self.save()
        return unpack(joined(self.head, self.pages.values()))[0]


def touches(count: int) -> list:
    return [build.call(f"t{number}", NOON + number * MINUTE) for number in range(count)]


TOUCHES = st.builds(
    lambda number, version, data: build.touch(f"t{number}", **version, **data),
    st.integers(1, 60),
    strategies.VERSIONS,
    strategies.TOUCH,
)


def paged_lead(*events) -> Lead:
    lead = folded(*events)
    lead.pages = paged(lead.objects, SIZE)
    return lead


@given(
    st.lists(TOUCHES, max_size=10),
    st.lists(st.one_of(TOUCHES, TOUCHES, strategies.events(), st.just("save"), st.just("reload")), max_size=60),
)
def test_whatever_is_told_of_it_it_is_what_it_would_be_without_pages(before, later):
    plain, huge = folded(*before), Stored(paged_lead(*before))
    for step in later:
        if isinstance(step, str):
            getattr(huge, step)()
        else:
            huge.tell(step)
            fold(plain, step)
    whole = huge.whole
    assert whole.everything == plain.objects
    assert facts(whole, CODES) == facts(plain, CODES)
    assert facts_with(touch_rows(plain, CODES), huge.lead, CODES) == facts(plain, CODES)
    assert whole.pages is not None
    assert whole.pages.touches <= 4 * SIZE * whole.pages.count


@given(st.permutations(touches(30)))
def test_in_any_order_all_touches_lie_where_they_are_looked_for(events):
    huge = Stored(paged_lead(*events[:5]))
    for event in events[5:]:
        huge.tell(event)
    pages = huge.whole.pages
    assert pages is not None
    assert pages.touches == 30
    assert {key: number for number, page in pages.held.items() for key in page} == {
        key: pages.page_of(key) for page in pages.held.values() for key in page
    }


def test_as_touches_come_pages_are_added_one_by_one_and_only_some_are_written():
    huge = Stored(paged_lead(*touches(6)))
    counts = []
    for number in range(6, 300):
        huge.tell(build.call(f"t{number}", NOON + number * MINUTE))
        pages = huge.lead.pages
        assert pages is not None
        assert len(pages.changed) <= 3
        counts.append(pages.count)
        huge.save()
        assert not pages.held
    assert {later - sooner for sooner, later in pairwise(counts)} == {0, 1}
    assert counts[-1] == 100
    assert sorted(huge.whole.everything) == sorted(f"touch:t{number}" for number in range(300))


def test_a_touch_that_a_reply_names_is_kept_with_the_lead_and_no_page_is_read_for_it_again():
    huge = Stored(paged_lead(*touches(9)))
    assert "touch:t4" not in huge.lead.objects
    huge.tell(build.reply(at=NOON + MINUTE, in_reply_to="t4"))
    huge.tell(build.reply("r2", at=NOON + MINUTE, in_reply_to="later"))
    huge.reload()
    assert "touch:t4" in huge.lead.objects
    for told in (build.call("t4", NOON, changed_at=NOON + 1), build.call("later", NOON)):
        assert not huge.lead.pages.missing(spoken_of(told), huge.lead.objects)
        huge.tell(told)
    assert "touch:later" in huge.lead.objects
    assert len(huge.whole.everything) == 12


def test_a_head_by_itself_is_not_taken_for_the_whole():
    huge = Stored(paged_lead(*touches(9)))
    assert is_huge(huge.head)
    assert not is_huge(pack(folded(*touches(9)), {}))
    with pytest.raises(InvalidStateError, match="9 touches should be in its pages, 0 are"):
        unpack(huge.head)
    with pytest.raises(ValueError, match="3 of 3 pages are not in memory"):
        _ = unpack_head(huge.head)[0].everything


def test_a_page_that_is_read_again_does_not_undo_what_was_told_meanwhile():
    huge = Stored(paged_lead(*touches(2)))
    before = dict(huge.pages)
    huge.tell(build.call("t1", NOON, changed_at=NOON + 1, connected=True))
    for number, packed in before.items():
        huge.lead.pages.take(number, packed)
    assert touch_of(huge.whole.everything["touch:t1"], CODES)[3] & CONNECTED


ROW = st.tuples(st.integers(1, 12), st.integers(0, 2), st.integers(2, 3), st.integers(0, 1))
CHANGES = st.lists(st.lists(st.tuples(st.none() | ROW, st.none() | ROW), max_size=14), max_size=6)


@given(st.lists(ROW, max_size=30), CHANGES)
def test_rows_are_those_of_all_touches_whatever_changes_and_only_changed_chunks_are_stored(known: list[Touch], rounds):
    rows, stored = TouchRows(_packed(known), {}, 2), {}
    for changes in [[], *rounds]:
        before = dict(stored)
        for new, old in changes:
            if old in known:
                known.remove(old)
                rows.change(old, new)
            else:
                rows.change(None, new)
            if new is not None:
                known.append(new)
        written = rows.cut()
        stored.update(written)
        stored = {start: chunk for start, chunk in stored.items() if chunk is not None}
        assert all(before.get(start) != chunk for start, chunk in written.items())
        assert rows.all() == _packed(known) == TouchRows.load(stored, 2).all()
        assert all(stored.values())
        assert len(rows) == 14 * len(known)


def test_many_changes_at_once_are_those_one_by_one():
    known = [(at, 0, 2, 0) for at in range(1, 40)]
    rows, one_by_one = TouchRows(_packed(known), {}, 4), TouchRows(_packed(known), {}, 4)
    for at in range(1, 40, 2):
        for each in (rows, one_by_one):
            each.change((at, 0, 2, 0), None)
            each.change(None, (at + 100, 1, 2, 0))
            each.change(None, (at + 1, 1, 3, 0))
        one_by_one.all()
    assert rows.all() == one_by_one.all()
    rows.cut()
    for at in range(1, 41):
        rows.change((at, 1, 3, 0) if at % 2 == 0 else None, None)
        rows.change((at, 0, 2, 0) if at % 2 == 0 and at < 40 else None, None)
    assert None in rows.cut().values()
    assert rows.all() == _packed([(at + 100, 1, 2, 0) for at in range(1, 40, 2)])


def _packed(touches: list[Touch]) -> bytes:
    return b"".join(map(pack_touch, sorted(touches)))


def test_a_chunk_is_cut_up_at_instants_and_not_within_one():
    rows = [(at, 0, 2, 0) for at in (1, 2, 2, 2, 3, 4)]
    chunks = in_chunks(_packed(rows), 0, 2)
    assert {start: len(chunk) // 14 for start, chunk in chunks.items()} == {0: 1, 2: 3, 3: 2}
    assert in_chunks(_packed([(7, 0, 2, 0)] * 5), 7, 2) == {7: _packed([(7, 0, 2, 0)] * 5)}


def test_what_does_not_stand_has_no_row():
    lead = folded(build.call("t1", NOON), build.deleted("touch:t1"), build.touch("t2", at=None, channel="call"))
    assert [touch_of(record, CODES) for record in lead.objects.values()] == [None, None]


WHOLE = folded(build.call("t1", NOON), build.call("t2", NOON))


def head_of(**counts: int) -> bytes:
    """A huge lead that says something else of its pages."""
    lead = unpack(pack(WHOLE, {}))[0]
    lead.pages = paged(lead.objects)
    for name, count in counts.items():
        setattr(lead.pages, name, count)
    return pack(lead, {})


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\xc1",
        b"\x91" * 5_000,
        pack(WHOLE, {})[:-1],
        pack(WHOLE, {}).replace(b"call", b"\xff\xff\xff\xff"),
        head_of(count=0),
        head_of(count=2**40),
        head_of(touches=-1),
    ],
)
def test_what_is_no_state_is_not_taken_for_one(packed):
    with pytest.raises(InvalidStateError, match="state: is not what this version packs"):
        unpack(packed)


def test_what_is_no_page_is_not_taken_for_one():
    with pytest.raises(InvalidStateError, match="page: is not what this version packs"):
        joined(head_of(), [b"\xc1"])
    with pytest.raises(InvalidStateError, match="state: is not what this version packs"):
        unpack_head(b"\xc1\xc1")
