"""Simulates ten minutes of a whole system for each of many seeds, under all kinds of faults, and says what was wrong.

    make simulation [ARGS="--seeds 5000 --first 0 --processes 2"]
    make simulation ARGS="--seed 4711"

The last line says how many seeds, faults, lost and doubled facts there were; one seed prints its whole trace.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from simulation.run import Outcome, missing, run

AT_ONCE = 10
"""Seeds that a process is given at once."""


def main(arguments: argparse.Namespace) -> int:
    """The exit code: 1 if anything was wrong."""
    if arguments.seed is not None:
        return told(run(arguments.seed, tell=print))
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    faults: Counter[str] = Counter()
    effects: Counter[str] = Counter()
    lost = doubled = wrong = 0
    with ProcessPoolExecutor(arguments.processes) as pool:
        for outcome in pool.map(run, seeds, chunksize=AT_ONCE):
            faults += outcome.faults
            effects += outcome.effects
            lost, doubled, wrong = lost + outcome.lost, doubled + outcome.doubled, wrong + bool(outcome.violation)
            if outcome.violation:
                told(outcome)
    for name, counts in (("faults", faults), ("effects", effects)):
        print(f"{name}:", ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())))
    absent = missing(faults, effects) if len(seeds) >= AT_ONCE else []
    if absent:
        print("never seen:", ", ".join(absent))
    print(f"{len(seeds)} seeds, {faults.total()} faults, {lost} lost, {doubled} doubled")
    return int(bool(wrong or absent))


def told(outcome: Outcome) -> int:
    """Print what was wrong with a seed, if anything was."""
    if outcome.violation:
        print(*outcome.lately, sep="\n")
        print(f"seed {outcome.seed}: {outcome.violation}")
    print(f"seed {outcome.seed}: {outcome.faults.total()} faults, trace {outcome.trace}")
    return int(bool(outcome.violation))


def parsed(arguments: Iterable[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="simulation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many work at once")
    parser.add_argument("--seed", type=int, help="only this one, with its trace")
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(parsed(sys.argv[1:])))
