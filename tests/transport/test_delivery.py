from types import SimpleNamespace

import pytest

from streams.transport.batch import TP, Batch, fingerprint
from streams.transport.delivery import Delivery

HERE = TP("events", 1)


@pytest.fixture
def reloaded():
    return []


@pytest.fixture
def delivery(reloaded):
    return Delivery(reloaded.append)


@pytest.fixture
def share(delivery):
    share = delivery.add(HERE)
    share.loaded, share.expected = True, 10
    return share


def batch(share, *offsets):
    return Batch(HERE, share.epoch, [SimpleNamespace(offset=offset) for offset in offsets])


def offsets(records):
    return [record.offset for record in records]


def test_records_that_follow_are_admitted_once(delivery, share, reloaded):
    assert offsets(delivery.admit(batch(share, 10, 11, 12))) == [10, 11, 12]
    assert offsets(delivery.admit(batch(share, 11, 12, 13))) == [13]
    assert offsets(delivery.admit(batch(share, 10, 11))) == []
    assert share.expected == 14
    assert not reloaded


def test_missing_records_are_read_again(delivery, share, reloaded):
    assert delivery.admit(batch(share, 12, 13)) == []
    assert reloaded == [HERE]
    assert share.expected == 10


def test_records_missing_twice_in_one_place_are_not_in_the_log(delivery, share, reloaded):
    delivery.admit(batch(share, 12, 13))
    assert offsets(delivery.admit(batch(share, 12, 13))) == [12, 13]
    assert reloaded == [HERE]


@pytest.mark.parametrize("change", ["unloaded", "sought", "gone"])
def test_batches_from_before_a_change_are_void(delivery, share, change):
    old = batch(share, 10)
    match change:
        case "unloaded":
            share.loaded = False
        case "sought":
            share.epoch = delivery.next_epoch()
        case "gone":
            delivery.clear()
    assert delivery.admit(old) == []


def test_an_assignment_voids_the_batches_of_the_one_before(delivery, share):
    old = batch(share, 10)
    again = delivery.add(HERE)
    again.loaded, again.expected = True, 10
    assert delivery.admit(old) == []


def test_what_comes_while_a_partition_is_held_waits_and_so_does_what_comes_behind_it(delivery, share):
    share.held_at = 1.0
    first, second = batch(share, 10), batch(share, 11)
    assert delivery.admit(first) == []
    assert delivery.next_waiting(HERE, share) is None
    share.held_at = None
    assert delivery.admit(second) == []
    assert share.expected == 10
    for each in (first, second):
        assert delivery.next_waiting(HERE, share) is each
        assert delivery.check(share, each) == each.records
        share.waiting.popleft()
    assert delivery.next_waiting(HERE, share) is None


def test_nothing_that_waits_is_delivered_of_a_share_that_is_gone(delivery, share):
    share.held_at = 1.0
    delivery.admit(batch(share, 10))
    share.held_at = None
    delivery.add(HERE)
    assert delivery.next_waiting(HERE, share) is None


def test_only_what_is_loaded_and_free_is_fetched(delivery, share):
    assert delivery.open() == {HERE} == delivery.loaded()
    share.held_at = 1.0
    assert delivery.open() == set()
    assert delivery.loaded() == {HERE}


@pytest.mark.parametrize(
    "other",
    [
        {"timestamp": 2},
        {"value": b"w"},
        {"key": b"l"},
        {"key": b"kv", "value": b""},
        {"key": None},
    ],
)
def test_a_fingerprint_tells_records_apart(other):
    record = {"timestamp": 1, "key": b"k", "value": b"v"}
    assert fingerprint(SimpleNamespace(**record)) == fingerprint(SimpleNamespace(**record))
    assert fingerprint(SimpleNamespace(**record)) != fingerprint(SimpleNamespace(**record | other))
