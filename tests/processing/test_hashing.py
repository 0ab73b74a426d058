"""Hashed ids: known again by who has the key, and by nobody else."""

import pytest

from streams.errors import Fatal
from streams.hashing import DIGEST_BYTES, Hashing
from streams.processing.hashing import Tombstones, check_same_key
from streams.tables import Progress

MINE, THEIRS = Hashing(b"mine"), Hashing(b"theirs")


def test_the_same_ids_have_the_same_hash_and_others_another():
    assert MINE.digest("a", "b") == Hashing(b"mine").digest("a", "b")
    found = [MINE.digest("a", "b"), MINE.digest("b", "a"), MINE.digest("ab"), MINE.digest("a"), THEIRS.digest("a", "b")]
    assert len(set(found)) == len(found)
    assert {len(digest) for digest in found} == {DIGEST_BYTES}


def test_who_was_erased_is_known_again_by_the_key():
    stones = Tombstones(MINE)
    assert "ada" not in stones
    stones.add("ada")
    stones.add("ada")
    assert "ada" in stones
    added = stones.cut()
    assert added == [MINE.digest("ada")]
    assert stones.cut() == []
    assert len(stones) == 1
    assert "ada" in Tombstones(MINE, added)
    assert "ben" not in Tombstones(MINE, added)
    assert "ada" not in Tombstones(THEIRS, added)


def test_another_key_is_refused_where_ids_are_hashed():
    check_same_key(MINE, Progress(), "here")
    check_same_key(MINE, Progress(hashed_with=MINE.name), "here")
    with pytest.raises(Fatal, match=r"another worker\.subject_key"):
        check_same_key(THEIRS, Progress(hashed_with=MINE.name), "here")
