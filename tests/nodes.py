"""A Redis Cluster on this machine: three masters, each with a replica that takes over within a second or two."""

import random
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from secured import Authority
from services import Missing, Server, ask_redis, until_sync

MASTERS = 3
BUS = 10_000
"""How far a node's second port is from its first."""

LIMIT_S = 60
NODE_TIMEOUT_MS = 1_000


@dataclass
class Cluster:
    """Six nodes; any of them tells of the others."""

    servers: list[Server]
    ports: list[int]
    secured: Sequence[int] = ()
    """The ports with TLS, if there are any."""

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    @property
    def server(self) -> "Cluster":
        """What a test starts and stops."""
        return self

    def flush(self) -> None:
        """Forget everything."""
        for port in self.masters():
            assert ask_redis(port, "FLUSHALL") == b"+OK\r\n"

    def masters(self) -> list[int]:
        """The ports of those that take writes."""
        return [port for port in self.ports if b"role:master" in ask_redis(port, "INFO replication")]

    def kill_a_master(self) -> int:
        """End the first master at once; its port."""
        port = self.masters()[0]
        self.servers[self.ports.index(port)].kill()
        return port

    def has_taken_over(self) -> bool:
        """Whether replicas have the places of all masters that died."""
        return len(self.masters()) == MASTERS and self.whole()

    def revive(self, port: int) -> None:
        """Start a dead node; it becomes a replica."""
        self.servers[self.ports.index(port)].start()
        until_sync(self.whole, LIMIT_S, "the cluster is whole")

    def whole(self) -> bool:
        """Whether all slots are served, as all living nodes see it."""
        seen = [ask_redis(port, "CLUSTER INFO") for port in self.ports]
        return all(b"cluster_state:ok" in each for each in seen if each)

    def kill(self) -> None:
        """End all nodes."""
        for server in self.servers:
            server.kill()

    stop = kill


def cluster(folder: Path, authority: Authority | None = None) -> Cluster:
    """Start one; takes some 5 s. With an authority nodes have TLS, between them, too, and a way in without."""
    binary, tool = shutil.which("redis-server"), shutil.which("redis-cli")
    if not binary or not tool:
        raise Missing("Redis Cluster: no redis-server and redis-cli on the PATH")
    ports = free_ports(2 * MASTERS)
    secured = free_ports(2 * MASTERS) if authority else []
    safe = [_tls(authority, port) for port in secured] if authority else [{}] * len(ports)
    servers = [_node(binary, folder / str(port), port, more) for port, more in zip(ports, safe, strict=True)]
    nodes = Cluster(servers, ports, secured)
    try:
        for server in nodes.servers:
            server.start()
        addresses = [f"127.0.0.1:{port}" for port in secured or ports]
        making = [tool, "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes"]
        making += ["--tls", "--cacert", str(authority.certificate)] if authority else []
        subprocess.run(making, check=True, capture_output=True, timeout=LIMIT_S)
        until_sync(nodes.has_taken_over, LIMIT_S, "the cluster is whole")
    except BaseException:
        nodes.kill()
        raise
    return nodes


def _tls(authority: Authority, port: int) -> dict[str, str]:
    """A node's options for TLS on a port."""
    certificate, key = authority.issue(f"node-{port}")
    return {
        "tls-port": str(port),
        "tls-cert-file": str(certificate),
        "tls-key-file": str(key),
        "tls-ca-cert-file": str(authority.certificate),
        "tls-auth-clients": "optional",
        "tls-cluster": "yes",
        "tls-replication": "yes",
    }


def _node(binary: str, folder: Path, port: int, more: Mapping[str, str]) -> Server:
    folder.mkdir()
    options = {
        **more,
        "bind": "127.0.0.1",
        "port": port,
        "save": "",
        "maxmemory-policy": "noeviction",
        "cluster-enabled": "yes",
        "cluster-node-timeout": NODE_TIMEOUT_MS,
        "repl-diskless-sync-delay": 0,
    }
    command = [binary, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    return Server(f"Redis node {port}", command, folder, lambda: ask_redis(port, "PING") == b"+PONG\r\n", limit_s=20)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, nor on those of their buses."""
    found: list[int] = []
    with ExitStack() as taken:
        while len(found) < count:
            port = random.randrange(20_000, 30_000)
            try:
                for each in (port, port + BUS):
                    taken.enter_context(closing(socket.create_server(("127.0.0.1", each))))
            except OSError:
                continue
            found.append(port)
    return found
