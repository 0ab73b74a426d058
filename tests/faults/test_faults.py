"""A quick schedule of faults on real processes: nothing is lost, nothing is counted twice."""

import shutil
from pathlib import Path

import pytest
from faults.report import figures, in_words
from faults.run import play, running
from faults.schedule import QUICK, schedule
from services import Missing

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(1200)]

SEED = 1
FAULTS = 25
FLOORS = 4


@pytest.fixture
async def servers(tmp_path: Path):
    try:
        async with running(tmp_path, 1) as servers:
            yield servers
    except Missing as missing:
        pytest.skip(str(missing))


async def test_what_was_acknowledged_counts_once_through_a_schedule_of_faults(servers, tmp_path):
    plan = schedule(QUICK, SEED, count=FAULTS)
    folder = tmp_path / "logs"
    folder.mkdir()
    outcome = await play(servers, folder, plan, f"{SEED}/0", FLOORS, print)
    told = figures([outcome], "pytest", SEED)
    assert outcome.is_right, in_words(told)
    assert (told["faults"], told["lost"], told["doubled"]) == (FAULTS, 0, 0)
    assert told["said"]["checkpoint_refused FENCED"]
    assert told["said"]["checkpoint_refused ROLLED_BACK"]
    assert told["compared"]["alert"]
    shutil.rmtree(folder)
