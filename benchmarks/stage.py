"""What a benchmark runs on: a real Kafka and a real Redis of its own, and one worker."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import services

from benchmarks.process import Process


@dataclass
class Stage:
    """Servers in a folder that goes with them."""

    folder: Path
    kafka: services.Kafka
    redis: services.Redis
    ends: ExitStack

    @property
    def server(self) -> Process:
        """Redis, as a process to be measured."""
        return Process(self.redis.server.process)

    def start_worker(self, config: str) -> Process:
        """Start a processor with a configuration, given as TOML; it ends with the stage."""
        settings = self.folder / "leadbeat.toml"
        settings.write_text(config)
        command = [sys.executable, "-m", "streams.cli", "worker", "--part", "processor", "--config", str(settings)]
        worker = Process.start(command, self.folder / "worker.log")
        self.ends.callback(worker.end)
        return worker


@contextmanager
def staged() -> Iterator[Stage]:
    """Start the servers; all that was started ends in turn."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as ends:
        folder = Path(name)
        for part in ("kafka", "redis"):
            (folder / part).mkdir()
        kafka = services.kafka(folder / "kafka")
        ends.callback(kafka.server.stop)
        redis = services.redis(folder / "redis")
        ends.callback(redis.server.stop)
        yield Stage(folder, kafka, redis, ends)
