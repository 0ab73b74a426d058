"""Whenever the process dies, what it had kept is kept, unless it was sent."""

import multiprocessing
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spool_victim import LIMIT, Death, live, number_of, read

from streams.inbound.spool_file import SpoolFile

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["spool_victim"])

DEATHS = st.builds(Death, st.just("instruction"), st.integers(0, 4000)) | st.builds(
    Death, st.just("byte"), st.integers(0, 120_000)
)


class Lives:
    """What a spool's processes have told, one life after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[int] = []
        self.kept: set[int] = set()
        self.sent: set[int] = set()

    def live(self, death: Death) -> int:
        """One life to its end; what it ended with."""
        here, there = FORKS.Pipe(duplex=False)
        first = self.asked[-1] + 1 if self.asked else 0
        process = FORKS.Process(target=live, args=(self.path, death, first, there))
        process.start()
        there.close()
        with here:
            while True:
                try:
                    what, numbers = here.recv()
                except EOFError:
                    break
                if what == "asked":
                    self.asked += numbers
                else:
                    getattr(self, what).update(numbers)
        process.join()
        return process.exitcode

    def remaining(self) -> list[int]:
        """What the file still has; each delivery is whole."""
        file = SpoolFile(self.path, LIMIT)
        found = [number_of(each.value) for each in read(file)]
        file.close()
        return found


@given(st.lists(DEATHS, min_size=1, max_size=2))
def test_nothing_kept_is_lost_nothing_comes_twice_and_all_is_in_order(deaths):
    with TemporaryDirectory() as folder:
        lives = Lives(Path(folder, "spool.db"))
        for death in deaths:
            lives.live(death)
            remaining = lives.remaining()
            assert lives.kept - lives.sent - set(remaining) == set()
            assert remaining == sorted(set(remaining))
            assert set(remaining) <= set(lives.asked)


@pytest.mark.parametrize(
    ("death", "ended"),
    [(Death("instruction", 100), signal.SIGKILL), (Death("byte", 20_000), signal.SIGXFSZ), (Death("instruction", 10**9), 0)],
)
def test_it_dies_of_what_it_shall_die_of(tmp_path, death, ended):
    lives = Lives(tmp_path / "spool.db")
    assert -lives.live(death) == ended
    assert bool(lives.sent) == (ended == 0)
    assert lives.asked
