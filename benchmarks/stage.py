"""What a benchmark runs on: a real Kafka and a real Redis of its own, and Leadbeat's processes."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import services

from benchmarks.process import Process
from streams import telemetry


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

    def configure(self, config: str) -> Path:
        """The file of a configuration that is given as TOML."""
        settings = self.folder / "leadbeat.toml"
        settings.write_text(config)
        return settings

    def start(self, name: str, settings: Path, *words: str) -> Process:
        """Start a command of Leadbeat's as a process of this name; it ends with the stage."""
        command = [sys.executable, "-m", "streams.cli", *words, "--config", str(settings)]
        process = Process.start(command, self.folder / f"{name}.log")
        self.ends.callback(process.end)
        return process

    def start_worker(self, config: str, name: str = "processor") -> Process:
        """Start a processor with a configuration, given as TOML."""
        return self.start(name, self.configure(config), "worker", "--part", "processor")


@contextmanager
def staged() -> Iterator[Stage]:
    """Start the servers; all that was started ends in turn. What is logged meanwhile goes to standard error."""
    telemetry.configure("warning", "console", sys.stderr)
    with tempfile.TemporaryDirectory() as name, ExitStack() as ends:
        folder = Path(name)
        for part in ("kafka", "redis"):
            (folder / part).mkdir()
        kafka = services.kafka(folder / "kafka")
        ends.callback(kafka.server.stop)
        redis = services.redis(folder / "redis")
        ends.callback(redis.server.stop)
        yield Stage(folder, kafka, redis, ends)
