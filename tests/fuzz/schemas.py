"""Schemathesis on the descriptions of gateway and exporter, against both as processes, on a real Kafka and Redis.

    make schemas [ARGS="--examples 200 --seed 1"]

Asks every described path, by questions that its parameters allow and by others, and by other methods: no answer is a server
error, and each has a status, a media type, headers and a content that are described. A part of the deliveries is signed. The
stream of the live page is left out, as it has no end: what it is asked for is read by the target `query-stream` of `make fuzz`.
That what is not described is refused is not asked for: an empty parameter does not count, by intention.
"""

import argparse
import asyncio
import os
import sys

from crowd import RULES, crowd
from fuzz.standing import standing
from services import CHECKOUT
from system import System

from models.units import MINUTE
from streams.local.deliveries import wall

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)
LEADS = 50
A_DELIVERY = 50
PATIENCE_S = 30


async def main(examples: int, seed: int) -> int:
    """One run; how many of the two had a fault."""
    async with standing(RULES) as system:
        config = system.configure()
        for name in ("gateway", "worker", "exporter"):
            system.start(name, config)
        await system.accepting()
        now = wall() // MINUTE * MINUTE
        events = crowd(LEADS, now)
        for first in range(0, len(events), A_DELIVERY):
            await system.post(events[first : first + A_DELIVERY])
        await system.tick(now)
        await system.round(now)
        faults = [await asked(system, name, examples, seed) for name in ("gateway", "exporter")]
        for service in system.services:
            service.check()
    print(f"2 descriptions, {sum(map(bool, faults))} untrue")
    return sum(map(bool, faults))


async def asked(system: System, name: str, examples: int, seed: int) -> int:
    """What schemathesis ended with."""
    described, port, left_out = {
        "gateway": ("gateway.openapi.json", system.gateway_port, {}),
        "exporter": ("openapi.json", system.exporter_port, {"exclude-path": "/api/v1/stream"}),
    }[name]
    options = {
        "url": f"http://127.0.0.1:{port}",
        "checks": ",".join(CHECKS),
        "max-examples": examples,
        "seed": seed,
        "phases": "examples,coverage,fuzzing",
        "request-timeout": PATIENCE_S,
        "generation-database": "none",
        **left_out,
    }
    words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(CHECKOUT / "docs" / described), *words]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "fuzz.signing"}
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=system.folder)
    return await process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=200, help="for each operation")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.examples, given.seed)))
