import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from owners import append, numbers, producing
from services import CHECKOUT, until

from streams.topics import Topics, ensure
from streams.transport import TP

WORKER = Path(__file__).with_name("saving_worker.py")
LIMIT_S = 30


@pytest.fixture
def start(kafka, tmp_path):
    """Start a worker in a process of its own."""
    workers = []

    def start(topic):
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        command = [sys.executable, WORKER, kafka.bootstrap, topic, tmp_path]
        workers.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
        worker.communicate()


async def test_a_worker_killed_at_any_time_goes_on_where_its_owner_had_saved(kafka, topic_prefix, tmp_path, start):
    await ensure(kafka.bootstrap, 2, 1, topic_prefix)
    topic = Topics(topic_prefix).events
    tps = [TP(topic, 0), TP(topic, 1)]

    def saved():
        return {file.stem: json.loads(file.read_text())[1] for file in tmp_path.glob("*.json")}

    async with producing(kafka.bootstrap) as producer:
        first = start(topic)
        for step in range(0, 300, 10):
            for tp in tps:
                await append(producer, tp, numbers(step, step + 10))
            if step == 200:
                await until(lambda: sum(map(len, saved().values())) > 100, LIMIT_S, "something is saved")
                first.kill()
    second = start(topic)
    everything = [value.decode() for value in numbers(0, 300)]
    await until(lambda: saved() == {"0": everything, "1": everything}, LIMIT_S, "each value is there once, in order")
    second.terminate()
    said, _ = second.communicate(timeout=LIMIT_S)
    assert second.returncode == 0
    assert said.endswith(b"ended in order\n")
