"""Mutation testing of models/: would its tests notice a small mistake? Prints survivors as they are found, then one JSON line.

    make mutants [ARGS="--sample 300 --seed 1 --processes 2"]

Cosmic Ray makes the mutants. Some are drawn by lot and tested in clones of what is committed, one at a time in each: first by
the tests of the mutated module, then by all others of the core and its oracle, with few examples of each law. `killed_share` is
that of those killed among the killed and the survivors; what Cosmic Ray could not judge is told apart.
"""

import argparse
import ast
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from random import Random
from shlex import join, split

from attrs import evolve
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkResult

MODELS = "models"
TESTS = "tests/models"
ORACLE = "tests/oracle"
FIRST = ("test_worked_examples.py", "test_against_truth.py")
"""What reaches most of the engine comes right behind the module's own tests."""

PATIENCE_S = 600.0
"""A mutant whose tests last longer never ends, and is noticed by that."""


def main(sample: int, seed: int, processes: int) -> None:
    """One run."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(processes) as pool:
        first, *others = [clone(Path(name, str(number))) for number in range(processes)]
        every = mutants(first, Path(name, "mutants.sqlite"))
        healthy(first)
        clones: SimpleQueue[Path] = SimpleQueue()
        for folder in (first, *others):
            clones.put(folder)
        drawn = Random(seed).sample(every, min(sample, len(every)))
        outcomes: Counter[str] = Counter()
        for result in pool.map(lambda mutant: tested(mutant, clones), drawn):
            outcomes[(result.test_outcome or result.worker_outcome).value] += 1
            if result.test_outcome is TestOutcome.SURVIVED:
                print(result.diff, flush=True)
    judged = outcomes["killed"] + outcomes["survived"]
    share = round(outcomes["killed"] / judged, 4) if judged else None
    print(json.dumps({"mutants": len(every), "drawn": len(drawn), "seed": seed, **outcomes, "killed_share": share}))


def healthy(folder: Path) -> None:
    """End here if the tests fail without any mutant."""
    done = subprocess.run(split(command(Path(MODELS, "units.py"), folder)), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the tests fail without a mutant:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def mutants(folder: Path, work: Path) -> list[MutationSpec]:
    """All of a clone's, by their place in it, but for those of annotations, by which nothing is told apart."""
    with use_db(work) as db:
        init((folder / MODELS).rglob("*.py"), db, {})
        found = [item.mutations[0] for item in db.work_items]
    told_apart = (
        evolve(mutant, module_path=mutant.module_path.relative_to(folder))
        for mutant in found
        if not any(start <= mutant.start_pos < end for start, end in annotations(mutant.module_path))
    )
    return sorted(told_apart, key=lambda each: (str(each.module_path), each.start_pos, each.operator_name, each.occurrence))


@cache
def annotations(module: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where a module's annotations begin and end, by line and column; their lines are ASCII up to there."""

    def nodes() -> Iterator[ast.expr | None]:
        for node in ast.walk(ast.parse(module.read_text())):
            match node:
                case ast.AnnAssign() | ast.arg():
                    yield node.annotation
                case ast.FunctionDef():
                    yield node.returns

    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in nodes()
        if node is not None
    ]


def clone(folder: Path) -> Path:
    """A clone of what is committed, compiled: nothing is written there but mutants."""
    for command in (
        ["git", "clone", "--quiet", ".", str(folder)],
        [sys.executable, "-m", "compileall", "-q", *(str(folder / each) for each in (MODELS, "streams", "tests"))],
    ):
        subprocess.run(command, check=True)
    return folder


def tested(mutant: MutationSpec, clones: "SimpleQueue[Path]") -> WorkResult:
    """What the tests say of a mutant, in a clone that is free."""
    folder = clones.get()
    try:
        there = evolve(mutant, module_path=folder / mutant.module_path)
        return mutate_and_test([there], command(mutant.module_path, folder), PATIENCE_S)
    finally:
        clones.put(folder)


def command(module: Path, folder: Path) -> str:
    """What is run: the tests of the mutated module are named like it."""
    own = sorted(str(path.relative_to(folder)) for path in (folder / TESTS).rglob(f"test_{module.stem}*.py"))
    first = [f"{TESTS}/{name}" for name in FIRST]
    surroundings = ["env", f"--chdir={folder}", f"PYTHONPATH={folder}:{folder}/tests", "PYTHONDONTWRITEBYTECODE=1"]
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "--quiet",
        "--exitfirst",
        "-p",
        "no:cacheprovider",
        "--hypothesis-profile=mutants",
    ]
    return join([*surroundings, *pytest, *own, *first, TESTS, ORACLE])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    main(**vars(parser.parse_args()))
