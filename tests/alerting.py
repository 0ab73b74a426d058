"""Prometheus and Alertmanager from the files that are shipped: the same rules, scrapes and routes, at the tests' addresses."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest
from services import CHECKOUT

PROMETHEUS = CHECKOUT / "grafana" / "prometheus"
ALERTMANAGER = CHECKOUT / "grafana" / "alertmanager" / "alertmanager.yml"
RECEIVER = "alert-receiver:9095"
"""The made-up receiver of the shipped configuration."""

_WAIT = re.compile(r"\b(group_wait|group_interval): \w+")


class Told(NamedTuple):
    """One alert as a receiver was told of it. `receiver` is the path that was posted to."""

    receiver: str
    status: str
    alert: str
    labels: dict[str, str]
    text: str


@dataclass
class Receiver:
    """Who is alerted: a webhook of Alertmanager's."""

    address: str
    told: list[Told] = field(default_factory=list)

    def of(self, status: str, alert: str) -> list[Told]:
        """What was told of an alert, `firing` or `resolved`."""
        return [told for told in self.told if (told.status, told.alert) == (status, alert)]

    def take(self, path: str, body: bytes) -> None:
        """Take one message."""
        for alert in json.loads(body)["alerts"]:
            labels = alert["labels"]
            self.told.append(Told(path.strip("/"), alert["status"], labels["alertname"], labels, body.decode()))


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()


def prometheus_at(folder: Path, **targets: Sequence[str]) -> Path:
    """A copy of Prometheus's folder with other targets (of `exporter`, `gateway`, ...) and a token; its configuration file."""
    copy = Path(shutil.copytree(PROMETHEUS, folder / "prometheus"))
    for name, addresses in targets.items():
        path = copy / "targets" / f"{name}.yml"
        assert path.exists()
        path.write_text(json.dumps([{"targets": addresses}]))  # JSON is YAML
    config, secrets = copy / "prometheus.yml", folder / "secrets"
    secrets.mkdir()
    (secrets / "prometheus-token").write_text("lbt_of_a_test")
    config.write_text(config.read_text().replace("/run/secrets", str(secrets)))
    return config


def alertmanager_for(receiver: str) -> str:
    """Alertmanager's configuration, with another receiver, and with a second's wait before a group is told or told of anew."""
    return _WAIT.sub(r"\1: 1s", ALERTMANAGER.read_text()).replace(RECEIVER, receiver)


def tool(name: str, *arguments: str | Path) -> str:
    """What `promtool` or `amtool` prints. Fails with it if it finds fault; skips where there is no such tool."""
    if not shutil.which(name):
        pytest.skip(f"no {name} on the PATH (on Debian: apt install prometheus prometheus-alertmanager)")
    ended = subprocess.run([name, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
