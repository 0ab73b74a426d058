"""An installation on servers that let in only who proves who he is: a user for each service, and all secrets in files."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from crowd import RULES
from secured import SecuredKafka, SecuredRedis
from system import SECRET, TOKEN, System

from streams.serving.tokens import new
from streams.tables.server import ask

Sections: TypeAlias = Mapping[str, Mapping[str, Any]]
TOKENS = new("floor", ["metrics", "kpis", "leads"])


class Secured:
    """An installation whose services each have a user of their own, and all secrets in files."""

    def __init__(self, system: System, kafka: SecuredKafka, redis: SecuredRedis) -> None:
        self.system, self.kafka, self.redis = system, kafka, redis

    def configure(
        self, kafka_user: str, redis_user: str, more: str = "", sections: Sections = MappingProxyType({}), **plain: Any
    ) -> Path:
        """Settings that go by two users; `more` are tables, the others as `System.configure` has them."""
        told = self.kafka.settings(kafka_user) | {"group": f"{self.system.prefix}leadbeat", "create_topics": False}
        told |= sections.get("kafka", {})
        told["password_file"] = self.file(f"kafka-{kafka_user}", told.pop("password"))
        redis = self.redis.settings(redis_user)
        redis["url_file"] = self.file(f"redis-{redis_user}", redis.pop("url"))
        connections = {"token_file": self.file("token", TOKEN), "secret_files": [self.file("secret", SECRET)]}
        told_of = {**sections, "kafka": told, "redis": redis, "connections": connections}
        path = self.system.configure(f"{RULES}\nrequire_security = true\n", sections=told_of, **plain)
        text = path.read_text().replace(f'url = "{self.redis.url}"\n', "")
        path.write_text(f"{text}\n{TOKENS.settings}\n{more}\n")
        return path

    def file(self, name: str, content: str) -> str:
        """A file with a secret: its name, as the settings have it."""
        path = self.system.folder / f"{name}.secret"
        path.write_text(content)
        return path.name

    async def denied(self) -> list[Mapping[bytes, bytes]]:
        """What Redis has refused to whom."""
        return [dict(zip(entry[::2], entry[1::2], strict=True)) for entry in await ask(self.system.redis, "ACL", "LOG")]
