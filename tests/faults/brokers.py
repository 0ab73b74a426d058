"""Apache Kafka for the harness: one broker or three, which each machine reaches by wires of its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import services
from faults.ways import Ways
from services import Server, free_port
from wire import Wire

QUORUM = 3
"""From so many brokers on a write needs two of them."""


@dataclass
class Brokers:
    """A cluster. The harness itself reaches it directly, `ways` are those of the machines: for each a wire to every broker."""

    servers: list[Server]
    bootstrap: str
    ways: list[list[Wire]]

    @property
    def kafka(self) -> services.Kafka:
        """The cluster as other tests know it."""
        return services.Kafka(self.servers[0], self.bootstrap)

    def by(self, way: int) -> str:
        """The bootstrap addresses by a way."""
        return addresses(wire.port for wire in self.ways[way])


def addresses(ports: Iterator[int]) -> str:
    """Bootstrap addresses on 127.0.0.1."""
    return ",".join(f"127.0.0.1:{port}" for port in ports)


@contextmanager
def brokers(folder: Path, wires: Ways, count: int, ways: int) -> Iterator[Brokers]:
    """A running cluster."""
    direct, controllers = [free_port() for _ in range(count)], [free_port() for _ in range(count)]
    upstream = [[free_port() for _ in range(count)] for _ in range(ways)]
    found = [[wires.wire(port) for port in ports] for ports in upstream]
    servers = []
    for number in range(count):
        home = folder / f"kafka-{number}"
        home.mkdir()
        settings = services.kafka_settings(home, direct[number], controllers[number])
        settings |= _of_cluster(number, controllers)
        settings |= _listeners(
            direct[number],
            controllers[number],
            [(ports[number], way[number].port) for ports, way in zip(upstream, found, strict=True)],
        )
        servers.append(services.kafka_server(home, settings, direct[number]))
    with ThreadPoolExecutor(count) as pool:  # none is ready before most of them are
        try:
            list(pool.map(Server.start, servers))
            yield Brokers(servers, addresses(iter(direct)), found)
        finally:
            list(pool.map(Server.kill, servers))


def _of_cluster(number: int, controllers: list[int]) -> dict[str, str | int]:
    count = len(controllers)
    insync = 2 if count >= QUORUM else 1
    return {
        "node.id": number + 1,
        "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(controllers, 1)),
        "offsets.topic.replication.factor": count,
        "transaction.state.log.replication.factor": count,
        "transaction.state.log.min.isr": insync,
        "share.coordinator.state.topic.replication.factor": count,
        "share.coordinator.state.topic.min.isr": insync,
        "min.insync.replicas": insync,
    }


def _listeners(direct: int, controller: int, by_way: list[tuple[int, int]]) -> dict[str, str | int]:
    """One listener for the harness, and one for each way, whose clients are told to come back by its wire."""
    ways = [(f"WAY{number}", port, wire) for number, (port, wire) in enumerate(by_way)]
    return {
        "listeners": ",".join(
            f"{name}://127.0.0.1:{port}"
            for name, port in [("DIRECT", direct), ("CONTROLLER", controller), *((name, port) for name, port, _ in ways)]
        ),
        "advertised.listeners": ",".join(
            f"{name}://127.0.0.1:{port}" for name, port in [("DIRECT", direct), *((name, wire) for name, _, wire in ways)]
        ),
        "listener.security.protocol.map": ",".join(
            f"{name}:PLAINTEXT" for name in ("DIRECT", "CONTROLLER", *(name for name, _, _ in ways))
        ),
        "inter.broker.listener.name": "DIRECT",
    }
