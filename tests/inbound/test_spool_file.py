import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from services import CHECKOUT

from streams.errors import Fatal
from streams.inbound.spool_file import PAGE, SpoolFile, SpoolFull

HEADERS = [("connection", b"acme"), ("received_at", b"1777885200123"), ("h-webhook-id", b"msg_1")]
LIMIT = 2**25
CANARY = b"ada@example.com "


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "spool.db"


def kept(file: SpoolFile, after: int = 0) -> list[bytes]:
    return [each.value for each in file.oldest(after)]


def filled(path: Path, *values: bytes, limit: int = LIMIT) -> SpoolFile:
    file = SpoolFile(path, limit)
    file.add((HEADERS, value) for value in values)
    return file


def test_deliveries_are_kept_as_they_are_in_their_order_and_survive_the_process(path):
    filled(path, b"one", b"", b"\xff\x00").close()
    file = SpoolFile(path, LIMIT)
    assert kept(file) == [b"one", b"", b"\xff\x00"]
    assert [each.headers for each in file.oldest(0)] == [HEADERS] * 3
    assert (file.count(), file.first_receipt(0)) == (3, 1777885200123)
    second = file.oldest(0)[1].number
    assert kept(file, second) == [b"\xff\x00"]
    file.close()


def test_a_number_is_never_given_twice(path):
    file = filled(path, b"one", b"two")
    last = file.oldest(0)[-1].number
    file.remove(last)
    file.close()
    file = filled(path, b"three")
    assert file.oldest(0)[0].number > last
    file.close()


def test_what_is_read_at_once_is_bounded(path):
    file = filled(path, *(b"x" * 2**20 for _ in range(6)))
    assert len(file.oldest(0)) == 4
    file.add((HEADERS, b"") for _ in range(1500))
    assert len(file.oldest(file.oldest(0)[-1].number)) == 1000
    file.close()


def test_only_its_owner_may_read_it_and_its_log(path):
    path.touch(mode=0o644)
    file = filled(path, b"one")
    files = sorted(path.parent.iterdir())
    assert [each.name for each in files] == ["spool.db", "spool.db-wal"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    file.close()


def test_each_transaction_is_synced_and_what_is_deleted_overwritten(path):
    file = SpoolFile(path, LIMIT)
    asked = {name: file._ask(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "secure_delete", "locking_mode")}
    assert asked == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "locking_mode": "exclusive"}
    file.close()


OPEN = "import sys, pathlib; from streams.inbound.spool_file import SpoolFile; SpoolFile(pathlib.Path(sys.argv[1]), 2**25)"


def test_another_process_on_the_same_file_is_told_so(path):
    file = filled(path, b"one")
    other = subprocess.run(
        [sys.executable, "-c", OPEN, path], cwd=CHECKOUT, capture_output=True, text=True, env=os.environ, check=False
    )
    assert (
        f"streams.errors.Fatal: {path}: another process uses it (give each gateway a gateway.spool of its own)" in other.stderr
    )
    file.add([(HEADERS, b"two")])
    assert kept(file) == [b"one", b"two"]
    file.close()
    subprocess.run([sys.executable, "-c", OPEN, path], cwd=CHECKOUT, check=True)


def fill(file: SpoolFile, length: int) -> list[bytes]:
    """What is taken until there is no room for one more."""
    taken: list[bytes] = []
    with suppress(SpoolFull):
        while True:
            value = b"%06d" % len(taken) * (length // 6)
            file.add([(HEADERS, value)])
            taken.append(value)
    return taken


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"\x00" * 100 + os.urandom(2 * PAGE)),
        lambda path: overwrite(path, 0, b"not a database"),
        lambda path: overwrite(path, PAGE, os.urandom(3 * PAGE)),
        lambda path: overwrite(path, 20 * PAGE, os.urandom(PAGE)),
        lambda path: os.truncate(path, 3 * PAGE),
    ],
    ids=["another file", "its head", "its beginning", "its middle", "its end"],
)
def test_a_damaged_file_is_fatal_and_left_as_it_is(path, damage):
    filled(path, *(b"%d" % number * 999 for number in range(100))).close()
    damage(path)
    before = path.read_bytes()
    with pytest.raises(Fatal, match=r"spool\.db: is damaged: .*move it away and start this again"):
        SpoolFile(path, LIMIT)
    assert path.read_bytes() == before


def test_damage_that_is_met_later_is_fatal_too(path):
    file = filled(path, b"one")
    file._db.execute("UPDATE deliveries SET headers = x'c1'")
    with pytest.raises(Fatal, match="is damaged"):
        file.oldest(0)
    file.close()


def test_what_is_not_ours_is_refused_and_left_as_it_is(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE leads (id)")
    other.close()
    path.chmod(0o640)
    before = path.read_bytes()
    with pytest.raises(Fatal, match="is not a spool of this release"):
        SpoolFile(path, LIMIT)
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_spool_of_another_release_is_refused(path):
    filled(path, b"one").close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(Fatal, match="is not a spool of this release"):
        SpoolFile(path, LIMIT)


def test_a_place_where_nothing_can_be_written_is_told(path):
    with pytest.raises(Fatal, match=r"spool\.db: cannot be used: No such file or directory \(make its folder"):
        SpoolFile(path.parent / "nowhere" / "spool.db", LIMIT)
    with pytest.raises(Fatal, match="cannot be used"):
        SpoolFile(path.parent, LIMIT)


def test_at_its_limit_nothing_is_taken_nothing_is_lost_and_there_is_room_again_once_some_is_sent(path):
    file = SpoolFile(path, 2**20)
    taken = fill(file, 12_000)
    assert len(taken) > 70
    assert file.used() <= 2**20 < file.used() + 5 * PAGE
    assert path.stat().st_size <= 2**20
    with pytest.raises(SpoolFull, match="is full, or its disk is"):
        file.add([(HEADERS, b""), (HEADERS, b"x" * 20_000)])
    assert kept(file) == taken
    file.remove(file.oldest(0)[9].number)
    file.add([(HEADERS, b"x" * 20_000)])
    assert kept(file) == [*taken[10:], b"x" * 20_000]
    file.close()


def readable(path: Path) -> list[str]:
    """The files in which the canary stands."""
    return [each.name for each in path.parent.iterdir() if CANARY in each.read_bytes()]


@pytest.mark.parametrize("value", [CANARY, CANARY * 50_000, bytes(3000) + CANARY], ids=["small", "large", "at a page's end"])
def test_what_is_sent_cannot_be_read_any_more(path, value):
    file = filled(path, b"before", value)
    assert readable(path)
    number = file.oldest(0)[-1].number
    file.add([(HEADERS, b"x" * 5000), (HEADERS, b"behind")])
    file.remove(number)
    assert readable(path) == []
    assert kept(file) == [b"x" * 5000, b"behind"]
    file.close()
    assert readable(path) == []


def test_nor_can_what_was_sent_by_a_process_that_died_before_it_wiped_the_log(path):
    dying = """
import os, pathlib, sys
from streams.inbound.spool_file import SpoolFile
file = SpoolFile(pathlib.Path(sys.argv[1]), 2**25)
file.add([([("received_at", b"1")], sys.argv[2].encode() * 1000)])
SpoolFile._squeeze = lambda self: os.kill(os.getpid(), 9)
file.remove(1)
"""
    command = [sys.executable, "-c", dying, path, CANARY.decode()]
    assert subprocess.run(command, cwd=CHECKOUT, check=False).returncode == -9
    assert readable(path)
    file = SpoolFile(path, LIMIT)
    assert readable(path) == []
    file.close()


def test_an_empty_spool_takes_no_room(path):
    file = filled(path, *(b"x" * 2**20 for _ in range(8)))
    assert file.used() > 8 * 2**20
    for each in file.oldest(0), file.oldest(4):
        file.remove(each[-1].number)
    assert file.used() <= 4 * PAGE
    assert sum(each.stat().st_size for each in path.parent.iterdir()) <= 4 * PAGE
    file.close()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MiB."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a disk of its own cannot be had: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_on_a_full_disk_nothing_is_taken_and_nothing_is_lost(small_disk):
    file = SpoolFile(small_disk / "spool.db", LIMIT)
    taken = fill(file, 12_000)
    assert len(taken) > 10
    taken += fill(file, 600)
    assert kept(file) == taken
    last = file.oldest(0)[-1].number
    with pytest.raises(SpoolFull):
        file.remove(last)
    file.close()
    file = SpoolFile(small_disk / "spool.db", LIMIT)
    assert kept(file) == taken
    file.close()
