"""The services of docker-compose.yml as processes of this machine: the same commands, environment, mounted files and order.

Each service gets a folder for what is mounted into its container. Paths of the container become paths in there, and addresses
become free ports of 127.0.0.1; nothing else is changed. Images are what this machine has of the same programs.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from services import CHECKOUT, KAFKA_JARS, Missing, free_port, until_sync

COMPOSE = CHECKOUT / "docker-compose.yml"

ADDRESS = re.compile(r"(?<![\w.-])([a-z]+):(\d{4})(?!\d)")
"""A service and its port, as they stand in configuration files."""

OWN_PORTS = {"kafka": ("9092", "9093"), "redis": ("6379",), "prometheus": ("9090",), "alertmanager": ("9093",)}
"""Where a service listens, beside what the environment says of our own."""

KAFKA_BIN = "/opt/kafka/bin"
KAFKA_CLASSES = {"kafka-storage.sh": "kafka.tools.StorageTool", "kafka-server-start.sh": "kafka.Kafka"}
START_S = 90
LOOK_S = 0.5


def compose(text: str | None = None) -> dict[str, Any]:
    """The content of docker-compose.yml with the defaults of its variables."""
    text = COMPOSE.read_text() if text is None else text
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))


@dataclass
class Process:
    """A service that runs, or has run."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def text(self) -> str:
        """What it has said."""
        return self.log.read_text(errors="replace")

    def check(self) -> None:
        """Fail if it has ended with a mistake."""
        if self.popen.poll():
            raise AssertionError(f"{self.name} ended with {self.popen.returncode}: {self.text()[-3000:]}")

    def stop(self, limit_s: float) -> int:
        """Ask it to end in order; what it ended with."""
        self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(limit_s)
        finally:
            self.popen.kill()
            self.popen.wait()


@dataclass
class Stack:
    """What runs of docker-compose.yml, in a folder."""

    folder: Path
    content: Mapping[str, Any] = field(default_factory=compose)
    processes: dict[str, Process] = field(default_factory=dict)
    _ports: dict[tuple[str, str], int] = field(default_factory=dict)

    def port(self, service: str, port: str) -> int:
        """The port of 127.0.0.1 that stands for a port of a service."""
        return self._ports.setdefault((service, port), free_port())

    def url(self, service: str, port: str) -> str:
        return f"http://127.0.0.1:{self.port(service, port)}"

    def start(self, name: str) -> Process:
        """Start a service after those that it depends on, each as far as it has to be."""
        if name in self.processes:
            return self.processes[name]
        service = self.content["services"][name]
        for other, told in service.get("depends_on", {}).items():
            self._await(self.start(other), told["condition"])
        self._mount(name)
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            popen = subprocess.Popen(
                self._command(name),
                cwd=CHECKOUT,
                env=self._environment(name),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes[name] = Process(name, popen, log)
        return self.processes[name]

    def end(self) -> dict[str, int]:
        """End all, who started last first, each within its grace period; what each ended with."""
        ended = {}
        for name, process in reversed(self.processes.items()):
            grace = self.content["services"][name].get("stop_grace_period", "10s")
            ended[name] = process.stop(float(grace.removesuffix("s")))
        return ended

    def is_healthy(self, name: str) -> bool:
        """What the service's health check says."""
        kind, *words = self.content["services"][name]["healthcheck"]["test"]
        assert kind == "CMD"
        command = self._native(name, [self._local(name, word) for word in words])
        done = subprocess.run(command, check=False, capture_output=True, timeout=30)
        return done.returncode == 0

    def _await(self, process: Process, condition: str) -> None:
        def reached() -> bool:
            process.check()
            if condition == "service_completed_successfully":
                return process.popen.poll() == 0
            assert condition == "service_healthy"
            return self.is_healthy(process.name)

        until_sync(reached, START_S, f"{process.name} is {condition}; it says: {process.text()[-2000:]}", LOOK_S)

    # --- from the container to this machine

    def root(self, name: str) -> Path:
        """The folder that stands for a service's file system."""
        return self.folder / name

    def _mount(self, name: str) -> None:
        for source, target in self._mounts(name):
            place = Path(f"{self.root(name)}{target}")
            if not source:
                place.mkdir(parents=True)
                continue
            for path in _files(CHECKOUT / source):
                copy = place / path.relative_to(CHECKOUT / source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(self._local(name, path.read_text()))
        if name == "kafka":
            _write_kafka_scripts(Path(f"{self.root(name)}{KAFKA_BIN}"))
        for secret in self.content["services"][name].get("secrets", ()):
            copy = Path(f"{self.root(name)}/run/secrets/{secret}")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.folder / self.content["secrets"][secret]["file"], copy)

    def _mounts(self, name: str) -> Iterator[tuple[str, str]]:
        """Source (empty for a named volume) and target of each volume."""
        for volume in self.content["services"][name].get("volumes", ()):
            source, target, *_ = volume.split(":")
            yield (source if source.startswith("./") else ""), target

    def _local(self, name: str, text: str) -> str:
        """A text of a service's container as it is on this machine."""
        targets = sorted([*(target for _, target in self._mounts(name)), "/run/secrets", KAFKA_BIN], key=len, reverse=True)
        paths = re.compile(rf"(?<![\w/.-])({'|'.join(map(re.escape, targets))})(?![\w-])")
        text = paths.sub(lambda found: f"{self.root(name)}{found[1]}", text)
        text = ADDRESS.sub(self._address, text)
        for port in self._own_ports(name):
            text = re.sub(rf"(?<!\d){port}(?!\d)", str(self.port(name, port)), text)
        return text.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - nobody shall reach a test from elsewhere

    def _address(self, found: re.Match[str]) -> str:
        host, port = found.groups()
        return f"127.0.0.1:{self.port(host, port)}" if host in self.content["services"] else found[0]

    def _own_ports(self, name: str) -> Sequence[str]:
        environment = self.content["services"][name].get("environment", {})
        return (*OWN_PORTS.get(name, ()), *(value for key, value in environment.items() if key.endswith("PORT")))

    def _environment(self, name: str) -> dict[str, str]:
        told = self.content["services"][name].get("environment", {})
        ours = {key: self._local(name, str(value)) for key, value in told.items()}
        for key, host in told.items():
            if host in self.content["services"]:  # where another service is, whose ports stand beside it
                section = key.removesuffix("HOST")
                ports = [other for other in told if other.startswith(section) and other.endswith("PORT")]
                ours |= {key: "127.0.0.1"} | {port: str(self.port(host, told[port])) for port in ports}
        python = {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])}
        return {**os.environ, **python, **ours}

    def _command(self, name: str) -> list[str]:
        service = self.content["services"][name]
        words = [*service.get("entrypoint", ()), *service.get("command", ())]
        return self._native(name, [self._local(name, word) for word in words])

    def _native(self, name: str, words: list[str]) -> list[str]:
        """A command of the image as a command of this machine."""
        image = self.content["services"][name]["image"].partition(":")[0]
        if words[0] == "python":
            return [sys.executable, *words[1:]]
        match image:
            case "leadbeat":
                return [sys.executable, "-m", "streams.cli", *words]
            case "prom/prometheus" | "prom/alertmanager" if words[0].startswith("--"):
                return [_found(image.rpartition("/")[2]), *words]
        return [_found(words[0]), *words[1:]]


def _write_kafka_scripts(place: Path) -> None:
    """What the image has of Kafka's scripts, on the jars that the tests have."""
    if not (KAFKA_JARS / "complete").exists():
        raise Missing("Apache Kafka: its jars are not there; `make kafka` fetches them (with Maven)")
    place.mkdir(parents=True)
    for name, kind in KAFKA_CLASSES.items():
        java = f"{_found('java')} $KAFKA_HEAP_OPTS -XX:+UseSerialGC -cp {shlex.quote(f'{KAFKA_JARS}/*')} {kind}"
        (place / name).write_text(f'#!/bin/sh\nexec {java} "$@"\n')
        (place / name).chmod(0o755)


def _files(source: Path) -> Iterator[Path]:
    return (path for path in [source, *source.rglob("*")] if path.is_file())


def _found(program: str) -> str:
    binary = shutil.which(program) or shutil.which(f"prometheus-{program}")
    if not binary:
        raise Missing(f"{program} is not on the PATH")
    return binary
