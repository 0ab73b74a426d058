"""Faults on real processes: all that was acknowledged is counted once, whatever happens.

    make faults       [ARGS="--seed 3"]                                 a quick schedule of 25
    make faults-full  [ARGS="--seed 3 --kinds kill,stop --count 40"]    the long one of 400

Leadbeat's services, Kafka and Redis run as processes, with wires between them on which things go wrong, while CRMs post
webhooks. A run is a row of pieces, each with an installation of its own; --resume goes on behind those that are done. The logs
of a piece in which something is wrong are kept. The last line says how many faults there were, how much was lost and doubled;
a run ends with 1 if anything is wrong.
"""

import argparse
import asyncio
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from faults import report
from faults.kinds import KINDS, Kind
from faults.run import Outcome, play, running
from faults.schedule import FULL, QUICK, chunks, schedule
from services import CHECKOUT

from streams import telemetry

OUTPUT = CHECKOUT / ".cache" / "faults"


def tell(text: str) -> None:
    """Say something now."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


async def run(options: argparse.Namespace, plan: Sequence[Kind], path: Path) -> list[Outcome]:
    """All pieces of a plan."""
    kept = path.with_suffix(".pieces.json")
    outcomes = report.kept(kept) if options.resume else []
    home = Path(tempfile.mkdtemp(prefix="faults-"))
    tell(f"seed {options.seed}, {len(plan)} faults; logs are in {home} meanwhile")
    pieces = chunks(plan, options.piece)
    async with running(home, options.brokers, options.machines) as servers:
        for number, piece in enumerate(pieces):
            if number < len(outcomes):
                continue
            seed = f"{options.seed}/{number}"
            tell(f"piece {number + 1} of {len(pieces)}: {len(piece)} faults, seed {seed}")
            folder = home / f"piece-{number + 1}"
            folder.mkdir()
            outcome = await play(servers, folder, piece, seed, options.floors, tell)
            outcomes.append(outcome)
            report.keep(kept, outcomes)
            for difference in outcome.verdict.differences:
                tell(f"  {difference}")
            if outcome.is_right and not options.keep:
                shutil.rmtree(folder)
            else:
                tell(f"  {outcome.stopped or 'all is told'}; the logs are kept in {folder}")
            if outcome.stopped:
                break
    if all(outcome.is_right for outcome in outcomes):
        if not options.keep:
            shutil.rmtree(home)
        kept.unlink()
    return outcomes


async def main(options: argparse.Namespace) -> int:
    """One run; its exit code."""
    signal_main()
    name = FULL if options.full else QUICK
    plan = schedule(name, options.seed, [each for each in options.kinds.split(",") if each], options.count)
    path = options.report or OUTPUT / f"{name}-{options.seed}"
    outcomes = await run(options, plan, path)
    told = report.figures(outcomes, command(options), options.seed)
    report.write(path, told)
    print(report.in_words(told))
    print(report.last_line(told))
    return 0 if told["right"] and told["faults"] == len(plan) else 1


def command(options: argparse.Namespace) -> str:
    """How this run was asked for."""
    words = [word for word in sys.argv[1:] if word not in {"--full", "--resume"}]
    return f"make faults{'-full' * options.full}" + (f" ARGS={shlex.quote(shlex.join(words))}" if words else "")


def signal_main() -> None:
    """End in order, with all that was started, when we are asked to."""
    task = asyncio.current_task()
    assert task
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the long schedule")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default="", help=f"only these, of {', '.join(KINDS)}")
    parser.add_argument("--count", type=int, default=0, help="so many faults instead of all that the schedule has")
    parser.add_argument("--piece", type=int, default=40, help="faults to an installation")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--machines", type=int, default=2, help="workers")
    parser.add_argument("--floors", type=int, default=6, help="sales floors, each with 2 to 4 events a second")
    parser.add_argument("--report", type=Path, help="where the report goes, without an ending")
    parser.add_argument("--resume", action="store_true", help="go on behind the pieces that are done")
    parser.add_argument("--keep", action="store_true", help="keep all logs, also of what is right")
    arguments = parser.parse_args()
    telemetry.configure("error", "console", sys.stderr)
    sys.exit(asyncio.run(main(arguments)))
