"""Coverage-guided fuzzing of every reader of what comes from outside, by atheris.

    make fuzz [ARGS="--minutes 10 --target normalise-close --processes 2"]

Each target runs in a process of its own. Prints a line for each, and one for all: `N targets, N inputs, N findings, N slow`.
Slow is a target of which some input takes over 50 ms, timed without instrumentation. What was found stays in .fuzz, by
target: put an input of `crashes` into the target's seeds once it is mended.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from fuzz.target import SLOW_S, Target
from fuzz.targets import TARGETS

FOLDER = Path(".fuzz")
TIMES = 3


class Session(NamedTuple):
    """What came of fuzzing one target; `slowest_s` is how long its slowest input takes by itself."""

    name: str
    inputs: int
    findings: int
    slowest_s: float
    text: str

    def __str__(self) -> str:
        told = f"{self.name}: {self.inputs} inputs, {self.findings} findings, slowest {self.slowest_s * 1000:.1f} ms"
        return f"{told}\n{self.text}" if self.findings else told


def session(name: str, seconds: int) -> Session:
    """Fuzz one target."""
    folder = FOLDER / name
    before = found(folder)
    command = [sys.executable, "-m", "fuzz.session", name, str(seconds), str(folder)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    said = done.stdout + done.stderr
    counted = re.search(r"number_of_executed_units: (\d+)", said)
    new = found(folder) - before
    findings = max(len(new), int(done.returncode != 0))
    tail = "\n".join([*said.splitlines()[-40:], f"ended with {done.returncode}", *map(str, sorted(new))])
    return Session(name, int(counted[1]) if counted else 0, findings, slowest(TARGETS[name], folder), tail)


def found(folder: Path) -> set[Path]:
    """The inputs that something was found with."""
    return set((folder / "crashes").glob("*"))


def slowest(target: Target, folder: Path) -> float:
    """How long the input takes that took longest, at best; in seconds."""
    path = folder / "slowest"
    return min(timed(target, path.read_bytes()) for _ in range(TIMES)) if path.exists() else 0.0


def timed(target: Target, data: bytes) -> float:
    began = time.perf_counter()
    target.check(data)
    return time.perf_counter() - began


def main(minutes: float, names: Iterable[str], processes: int) -> int:
    """One run; how many targets something was found with."""
    with ThreadPoolExecutor(processes) as pool:
        sessions = []
        for each in pool.map(lambda name: session(name, round(minutes * 60)), names):
            print(each, flush=True)
            sessions.append(each)
    inputs, findings = sum(each.inputs for each in sessions), sum(each.findings for each in sessions)
    slow = [each.name for each in sessions if each.slowest_s > SLOW_S]
    print(f"{len(sessions)} targets, {inputs} inputs, {findings} findings, {len(slow)} slow {slow or ''}".rstrip())
    return findings


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="for each target")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="all unless given; may be repeated")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    os.environ["PYTHONHASHSEED"] = "0"
    sys.exit(bool(main(given.minutes, given.target or TARGETS, given.processes)))
