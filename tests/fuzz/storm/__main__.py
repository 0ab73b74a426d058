"""Bad requests of all kinds for a gateway, over real sockets and on a real Kafka, beside a sender who means it well.

    make storm [ARGS="--requests 1000000 --seed 1"]

Prints what was answered, by status (0: nothing), what the gateway held of the machine after some of each kind and in the end,
and `N requests, N kinds, N accepted unsigned, N legitimate lost`. Ends with 1 unless all was as it should be: no answer that
not be, nothing on the topics but what is proven and acknowledged, a dead letter for each body that cannot be read, no good
event lost, and a gateway that lives and has not grown by more than 64 MiB and 10 descriptors.
"""

import argparse
import sys

import uvloop
from fuzz.standing import standing
from fuzz.storm.judging import judged
from fuzz.storm.run import RULES, faults_of, start, storm


async def main(requests: int, seed: int) -> int:
    """One run; how much was not as it should be."""
    async with standing(RULES) as system:
        gateway = await start(system)
        seen, before, after = await storm(system, gateway, requests, seed)
        judgement = await judged(system, seen)
        faults = [*judgement.faults, *faults_of(gateway, before, after)]
    for fault in faults:
        print(fault)
    print(", ".join(f"{status}: {count}" for status, count in sorted(seen.statuses.items())))
    print(f"the gateway held {before}, at last {after}")
    print(
        f"{seen.requests} requests, {len(seen.kinds)} kinds, "
        f"{judgement.accepted} accepted unsigned, {judgement.lost} legitimate lost"
    )
    return len(faults) + judgement.accepted + judgement.lost


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.exit(bool(uvloop.run(main(given.requests, given.seed))))
