"""Each guard is needed: without it, the simulation finds what its lack does within some seeds."""

import pytest
from simulation.guards import GUARDS, UNNOTICED
from simulation.run import run

MOST = 40
"""Seeds that are tried."""


def first_violation(guard, most):
    """What the first seed that sees the lack of a guard says of it."""
    for seed in range(most):
        with guard.taken_out():
            outcome = run(seed, guard.texts())
        if outcome.violation:
            return outcome.violation
    return None


@pytest.mark.parametrize("name", [name for name in GUARDS if name not in UNNOTICED])
def test_without_it_something_is_wrong(name):
    assert first_violation(GUARDS[name], MOST) is not None


@pytest.mark.parametrize("name", UNNOTICED)
def test_without_it_nothing_is_wrong_as_all_that_is_told_follows_from_the_log(name):
    assert first_violation(GUARDS[name], 5) is None
