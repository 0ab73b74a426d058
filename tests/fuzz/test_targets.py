"""Whatever readers are given, they raise what they may and nothing else: a few hundred inputs for each of `make fuzz`."""

from random import Random

import pytest
from fuzz.mutating import mutated, with_tokens
from fuzz.target import Target
from fuzz.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.inbound.providers import PROVIDERS

EXAMPLES = 300
MOST_ROUNDS = 6

SHORTEST = 5
"""Of a target's inputs so many, which have few places for something to stand in."""


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Inputs that say something, changed a little again and again; now and then any bytes."""
    seeds = target.seeds()

    def changed(seed: bytes, number: int, rounds: int) -> bytes:
        rng = Random(number)
        for _ in range(rounds):
            seed = mutated(seed, target.form, rng)
        return seed

    near = st.builds(changed, st.sampled_from(seeds), st.integers(0, 2**32), st.integers(0, MOST_ROUNDS))
    return st.one_of(near, near, near, st.binary(max_size=200))


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_only_what_is_allowed_is_raised(name):
    target = TARGETS[name]

    @settings(max_examples=EXAMPLES)
    @given(inputs(target))
    def check(data):
        target.check(data)

    check()


@pytest.mark.parametrize("name", TARGETS)
def test_so_it_is_with_what_only_a_hand_writes_wherever_it_stands(name):
    target = TARGETS[name]
    for seed in sorted(target.seeds(), key=len)[:SHORTEST]:
        for data in with_tokens(seed, target.form):
            target.check(data)


def test_each_provider_is_fuzzed():
    assert {f"{what}-{name}" for what in ("verify", "normalise") for name in PROVIDERS} <= TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_can_read_what_it_begins_with(name):
    """Most of a target's inputs say something: else it would test nothing but the refusal."""
    target = TARGETS[name]
    read = 0
    for seed in target.seeds():
        try:
            target.run(seed)
            read += 1
        except target.allowed:
            pass
    assert 2 * read >= len(target.seeds())


def broken(data: bytes) -> None:
    if b"\0" in data:
        raise KeyError(data)


def test_what_is_not_allowed_would_be_found():
    target = TARGETS["event"]._replace(run=broken)

    @settings(max_examples=EXAMPLES)
    @given(inputs(target))
    def check(data):
        target.check(data)

    with pytest.raises(KeyError):
        check()
    target._replace(allowed=(KeyError,)).check(b"\0")
