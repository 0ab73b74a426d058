"""Two hundred seeds of ten minutes each: whatever befalls the system, all is counted once, told and caught up with."""

import os
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest
from services import CHECKOUT
from simulation.run import missing, run

SEEDS = 200
AT_ONCE = 10
"""Seeds of one test."""

outcome = cache(run)


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_nothing_is_lost_or_doubled_whatever_happens(first):
    for seed in range(first, first + AT_ONCE):
        found = outcome(seed)
        assert not found.violation, "\n".join((*found.lately, f"seed {seed}: {found.violation}"))


@pytest.mark.timeout(1200)  # alone, it has all of them to run
def test_each_kind_of_fault_has_happened_and_was_answered_as_it_should():
    found = [outcome(seed) for seed in range(SEEDS)]
    assert missing(sum((each.faults for each in found), Counter()), sum((each.effects for each in found), Counter())) == []


def traced(seed, hash_seed):
    """The trace of a seed in a process of its own, in which sets have another order."""
    code = f"from simulation.run import run; print(run({seed}).trace)"
    path = os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "tests")))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": hash_seed}
    told = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    return told.stdout.strip()


def test_one_seed_is_one_trace():
    assert traced(3, "1") == traced(3, "2") == outcome(3).trace != outcome(4).trace
