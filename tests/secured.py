"""Kafka and Redis that let nobody in without TLS and a password, for tests: with users, rights and certificates of their own.

Each has a second way in, without TLS and with all rights, by which tests look at what there is.
"""

import itertools
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from services import CHECKOUT, Kafka, Missing, Redis, Server, ask_redis, free_port, kafka_server, kafka_settings

from streams.errors import Fatal
from streams.local.embedded import redis_binary

OPERATIONS = (CHECKOUT / "docs" / "operations.md").read_text()
PASSWORD = "password-of-{}-0123456789"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
KAFKA_USERS = ("leadbeat-gateway", "leadbeat-worker", "leadbeat-admin", "leadbeat-doctor", "leadbeat-nobody")


@dataclass(frozen=True)
class Authority:
    """Who issues certificates: its own, and those in its folder, each for a name and with a key beside it."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    @classmethod
    def made(cls, folder: Path) -> "Authority":
        """A new one, in a folder that is not there yet."""
        folder.mkdir()
        authority = cls(folder)
        _openssl(folder, "ca", "-subj", "/CN=an authority of tests")
        return authority

    def issue(self, name: str, host: str = "IP:127.0.0.1") -> tuple[Path, Path]:
        """A certificate for a host, and its key."""
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", f"subjectAltName={host}")
        _openssl(self.folder, name, "-subj", f"/CN={name}", *signed)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


def _openssl(folder: Path, name: str, *more: str) -> None:
    if not shutil.which("openssl"):
        raise Missing("certificates: no openssl on the PATH")
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
    subprocess.run(["openssl", *new, *files, *more], cwd=folder, check=True, capture_output=True)


@dataclass
class SecuredKafka(Kafka):
    """`bootstrap` is the way in without TLS; users come in by `secured`, and by `mutual` with a certificate."""

    secured: str
    mutual: str
    authority: Authority

    def settings(self, user: str, **changes: Any) -> dict[str, Any]:
        """What the settings of a user say of Kafka."""
        usual = {
            "bootstrap": self.secured,
            "security_protocol": "SASL_SSL",
            "username": user,
            "password": PASSWORD.format(user),
            "tls": {"ca_file": str(self.authority.certificate)},
        }
        return usual | changes


def secured_kafka(folder: Path) -> SecuredKafka:
    """Start Apache Kafka with users who have no rights yet."""
    authority = Authority.made(folder / "authority")
    plain, secured, mutual, controller = (free_port() for _ in range(4))
    listeners = {"PLAINTEXT": plain, "USERS": secured, "MUTUAL": mutual, "CONTROLLER": controller}
    told = ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items())
    settings = kafka_settings(folder, plain, controller) | {
        "listeners": told,
        "advertised.listeners": told.rpartition(",")[0],
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,USERS:SASL_SSL,MUTUAL:SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.users.scram-sha-512.sasl.jaas.config": f"{SCRAM} required;",
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": _key_store(authority),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority.certificate,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:CN=super",
    }
    users = [f"SCRAM-SHA-512=[name={user},password={PASSWORD.format(user)},iterations=4096]" for user in KAFKA_USERS]
    added = itertools.chain.from_iterable(("--add-scram", user) for user in users)
    server = kafka_server(folder, settings, secured, *added)
    server.start()
    return SecuredKafka(server, f"127.0.0.1:{plain}", f"127.0.0.1:{secured}", f"127.0.0.1:{mutual}", authority)


def _key_store(authority: Authority) -> Path:
    certificate, key = authority.issue("broker")
    store = authority.folder / "broker-store.pem"
    store.write_text(key.read_text() + certificate.read_text())
    return store


@dataclass
class SecuredRedis(Redis):
    """`url` is the way in without TLS; users come in by `secured`."""

    secured_port: int
    authority: Authority

    def settings(self, user: str, password: str = "", **changes: Any) -> dict[str, Any]:
        """What the settings of a user say of Redis."""
        url = f"rediss://{user}:{password or PASSWORD.format(user)}@127.0.0.1:{self.secured_port}/0"
        return {"url": url, "tls": {"ca_file": str(self.authority.certificate)}} | changes


def secured_redis(folder: Path) -> SecuredRedis:
    """Start Redis with users who have the rights of docs/operations.md, and one who has none."""
    try:
        binary = shutil.which("redis-server") or redis_binary()
    except Fatal as error:
        raise Missing(f"Redis: {error}") from None
    authority = Authority.made(folder / "authority")
    certificate, key = authority.issue("redis")
    plain, secured = free_port(), free_port()
    lines = [*redis_users(), "user leadbeat-nobody on >" + PASSWORD.format("leadbeat-nobody")]
    (folder / "users.acl").write_text("user default on nopass ~* &* +@all\n" + "\n".join(lines) + "\n")
    options = {
        "bind": "127.0.0.1",
        "port": str(plain),
        "tls-port": str(secured),
        "tls-cert-file": str(certificate),
        "tls-key-file": str(key),
        "tls-ca-cert-file": str(authority.certificate),
        "tls-auth-clients": "optional",
        "aclfile": str(folder / "users.acl"),
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    command = [binary, *itertools.chain.from_iterable((f"--{name}", value) for name, value in options.items())]
    server = Server("Redis", command, folder, lambda: ask_redis(plain, "PING") == b"+PONG\r\n", limit_s=20)
    server.start()
    return SecuredRedis(server, plain, secured, authority)


def redis_users() -> list[str]:
    """The lines of docs/operations.md, with passwords."""
    lines = re.findall(r"^user (leadbeat-\w+) on >\S+ (.+)$", OPERATIONS, re.MULTILINE)
    return [f"user {name} on >{PASSWORD.format(name)} {rights}" for name, rights in lines]


def grant(kafka: SecuredKafka, prefix: str) -> None:
    """Give Kafka's users the rights of docs/operations.md, on topics and groups with a prefix."""
    bindings = [binding for line in acl_lines() for binding in _bindings(line, prefix)]
    assert bindings
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for done in admin.create_acls(bindings).values():
        done.result(30)


def acl_lines() -> list[dict[str, list[str]]]:
    """The commands of docs/operations.md, each as its options."""
    commands = re.findall(r"^kafka-acls\.sh .*? --add (.+)$", OPERATIONS, re.MULTILINE)
    return [_options(command.split()) for command in commands]


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for option, value in zip(words[::2], words[1::2], strict=True):
        found.setdefault(option.removeprefix("--"), []).append(value)
    return found


def _bindings(line: Mapping[str, Sequence[str]], prefix: str) -> Iterable[AclBinding]:
    pattern = ResourcePatternType[line.get("resource-pattern-type", ["literal"])[0].upper()]
    for kind in ("topic", "group"):
        for name, operation in itertools.product(line.get(kind, ()), line["operation"]):
            yield AclBinding(
                ResourceType[kind.upper()],
                prefix + name,
                pattern,
                line["allow-principal"][0],
                "*",
                AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()],
                AclPermissionType.ALLOW,
            )
