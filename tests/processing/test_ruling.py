"""Which rules are in force, as a worker learns of it."""

import msgspec
import pytest
from build import RULES
from msgspec import structs

from models.units import Millis
from streams.errors import Fatal
from streams.processing.ruling import Ruling
from streams.tables.rules import RulesDocument, in_force, put_in_force, read_all_rules, read_rules

pytestmark = pytest.mark.redis


def document(version, zone="Asia/Kolkata"):
    return RulesDocument(structs.replace(RULES, version=version, zone=zone), Millis(7), "somebody")


@pytest.fixture
def taken():
    """The versions that a worker has gone over to."""
    return []


@pytest.fixture
def ruling(redis, taken):
    return Ruling(redis, "lb", structs.replace(RULES, version=2), lambda rules: taken.append(rules.version))


def test_the_newer_rules_are_in_force_and_of_equal_versions_those_applied():
    mine = structs.replace(RULES, version=2)
    assert in_force(mine, None) is mine
    assert in_force(mine, document(1)) is mine
    for version in (2, 3):
        applied = document(version)
        assert in_force(mine, applied) is applied.rules


async def test_a_worker_goes_over_to_newer_rules_and_never_back(redis, ruling, taken):
    await ruling.look()
    await put_in_force(redis, "lb", document(1))
    await ruling.look()
    assert taken == []
    assert ruling.rules.version == 2
    for version in (3, 4):
        await put_in_force(redis, "lb", document(version))
        await ruling.look()
        await ruling.look()
    assert taken == [3, 4]
    assert ruling.rules == document(4).rules


async def test_rules_that_redis_has_lost_with_its_last_writes_are_stored_again(redis, ruling, taken):
    await put_in_force(redis, "lb", document(3))
    before = await redis.dump("lb:{rules}:documents")
    await put_in_force(redis, "lb", document(4))
    await ruling.look()
    await redis.restore("lb:{rules}:documents", 0, before, replace=True)
    await ruling.look()
    assert await read_rules(redis, "lb") == document(4)
    assert taken == [4]


async def test_a_version_is_given_once_and_says_the_same_for_ever(redis):
    assert await read_rules(redis, "lb") is None
    await put_in_force(redis, "lb", document(3))
    await put_in_force(redis, "lb", document(3))
    for late in (document(3, "UTC"), document(2)):
        with pytest.raises(Fatal, match="version 3 has been put in force"):
            await put_in_force(redis, "lb", late)
    await put_in_force(redis, "lb", document(10))
    assert [each.version for each in await read_all_rules(redis, "lb")] == [3, 10]
    assert await read_rules(redis, "lb") == document(10)


async def test_rules_of_a_release_that_knows_more_are_refused(redis, ruling):
    later = msgspec.json.encode(document(3)).replace(b'"zone"', b'"holidays":[],"zone"')
    await redis.hset("lb:{rules}:documents", mapping={"version": 3, "3": later})
    with pytest.raises(Fatal, match=r"not rules that this release knows: .*holidays"):
        await ruling.look()
