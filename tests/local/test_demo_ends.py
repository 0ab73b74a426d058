"""However a demo ends, all that it has started ends with it, and nothing that it has written stays."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from services import until_sync

from streams.local import demo

STARTED = (
    *("embedded folder", "embedded kafka", "embedded redis", "redis-server"),
    *("streams.cli exporter", "streams.cli gateway", "--part normaliser", "--part processor"),
)
"""A word or two of the command of each process of a demo, beside its own and the worker's."""

START_S, END_S, LOOK_S = 60, 40, 0.2


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_all_that_a_demo_has_started_ends_with_it(ending, tmp_path):
    with (tmp_path / "said").open("w+") as said:
        folder = tmp_path / "folder"
        folder.mkdir()
        running = start(folder, said)
        try:
            until_sync(lambda: missing(folder, running) == [], START_S, "all of it runs", LOOK_S)
            running.send_signal(ending)
            code = running.wait(END_S)
            until_sync(lambda: not running_in(folder), END_S, "all of it has ended", LOOK_S)
        finally:
            end_all(running, folder)
        assert list(folder.iterdir()) == []
        said.seek(0)
        words = said.read()
    if ending is signal.SIGKILL:
        assert code == -ending
    else:
        assert code == 0
        assert words.endswith("Stopped; nothing is left running.\n")
        assert "Traceback" not in words


@pytest.mark.parametrize("ignored", [True, False])
async def test_a_signal_that_is_ignored_stays_so(ignored):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        with demo.cancelled_by(signal.SIGHUP):
            os.kill(os.getpid(), signal.SIGHUP)
            with suppress(asyncio.CancelledError):
                for _ in range(10):
                    await asyncio.sleep(0)
    finally:
        signal.signal(signal.SIGHUP, before)
    task = asyncio.current_task()
    assert (task.cancelling() == 0) == ignored
    task.uncancel()


@pytest.mark.parametrize("early", [True, False])
async def test_who_swallows_being_cancelled_is_cancelled_again_but_not_while_cleaning_up(early, monkeypatch):
    monkeypatch.setattr(demo, "AGAIN_S", 0.01)
    swallowed, cleaned = [], []

    async def stubborn():
        with demo.cancelled_by(signal.SIGUSR1) as ending:
            try:
                if early:
                    await swallow(swallowed)
                with ending.insisting():
                    for _ in range(3):
                        await swallow(swallowed)
                    await never()
            finally:
                await asyncio.wait([never()], timeout=0.1)
                cleaned.append(True)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.create_task(stubborn()), 20)
    assert (len(swallowed), cleaned) == (3 + early, [True])


async def swallow(swallowed):
    if not swallowed:
        os.kill(os.getpid(), signal.SIGUSR1)
    try:
        await never()
    except asyncio.CancelledError:
        swallowed.append(True)


def never():
    """What does not come."""
    return asyncio.get_running_loop().create_future()


def start(folder: Path, said) -> subprocess.Popen:
    """Start a demo whose processes all know this folder as the one for temporary files."""
    command = [sys.executable, "-m", "streams.cli", "demo"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    # Where tests run in a shell's background SIGINT is ignored, and a demo would heed that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)


def missing(folder: Path, running: subprocess.Popen) -> list[str]:
    """Which processes of a demo do not run. Fails if the demo itself does not."""
    assert running.poll() is None
    commands = " ".join(running_in(folder).values())
    return [words for words in STARTED if words not in commands]


def running_in(folder: Path) -> dict[int, str]:
    """The processes whose folder for temporary files this is, whoever their parents are, with their commands."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if belongs(process, folder):
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def belongs(process: Path, folder: Path) -> bool:
    """Redis writes over its environment, but works in the folder."""
    environment = (process / "environ").read_bytes().split(b"\0")
    return f"TMPDIR={folder}".encode() in environment or (process / "cwd").readlink().is_relative_to(folder)


def end_all(running: subprocess.Popen, folder: Path) -> None:
    """Leave nothing behind whatever the test has found."""
    for process in running_in(folder):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    running.wait()
