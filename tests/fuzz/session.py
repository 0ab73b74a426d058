"""One target under atheris, in a process of its own, which libFuzzer ends: `python -m fuzz.session TARGET SECONDS FOLDER`.

In the folder are `corpus` (what reaches something new), `crashes` (findings) and `slowest`, the input that took longest.
"""

import hashlib
import sys
import time
import traceback
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["models", "streams"]):
    from fuzz.targets import TARGETS

from fuzz.mutating import mutated

LONGEST_INPUT = 64 * 1024
ENDLESS_S = 10
"""An input that takes so long is a finding."""

MOST_MEMORY_MB = 2048

BYTES_ALONE, ANEW = 3, 4
"""One mutation of so many is libFuzzer's own, of bytes that mean nothing to it; one of the others begins with a seed anew.

What is decoded in C looks all the same to the fuzzer: it would soon forget most seeds.
"""


def fuzz(name: str, seconds: str, folder: Path) -> None:
    """Never returns."""
    target = TARGETS[name]
    corpus, crashes = folder / "corpus", folder / "crashes"
    for each in (corpus, crashes):
        each.mkdir(parents=True, exist_ok=True)
    seeds = target.seeds()
    for seed in seeds:
        target.check(seed)  # what is made once must not be taken for slow
        (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    slowest = 0.0

    def one(data: bytes) -> None:
        nonlocal slowest
        began = time.perf_counter()
        try:
            target.check(data)
        except BaseException:
            # libFuzzer writes it too, under this name, but at the very end, to which not every process comes.
            (crashes / f"crash-{hashlib.sha1(data, usedforsecurity=False).hexdigest()}").write_bytes(data)
            traceback.print_exc()
            raise
        took = time.perf_counter() - began
        if took > slowest:
            slowest = took
            (folder / "slowest").write_bytes(data)

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        if seed % BYTES_ALONE == 0:
            return bytes(atheris.Mutate(data, longest))
        rng = Random(seed)
        return mutated(data if rng.randrange(ANEW) else rng.choice(seeds), target.form, rng)[:longest]

    options = {
        "max_total_time": seconds,
        "max_len": LONGEST_INPUT,
        "timeout": ENDLESS_S,
        "rss_limit_mb": MOST_MEMORY_MB,
        "artifact_prefix": f"{crashes}/",
        "print_final_stats": 1,
    }
    atheris.Setup(
        [sys.argv[0], *(f"-{option}={value}" for option, value in options.items()), str(corpus)], one, custom_mutator=mutate
    )
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
