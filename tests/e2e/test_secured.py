"""The whole of it where everybody is asked who he is and may do only what docs/operations.md says that he needs."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from children import ran
from crowd import RULES, crowd
from histories import erased
from secured import PASSWORD, SecuredKafka, SecuredRedis, grant
from system import SECRET, TOKEN, System, installed

from models.units import MINUTE
from streams.serving.tokens import new
from streams.tables.server import ask

LEADS = 60
TOKENS = new("floor", ["metrics", "kpis", "leads"])


class Secured:
    """An installation whose services each have a user of their own, and all secrets in files."""

    def __init__(self, system: System, kafka: SecuredKafka, redis: SecuredRedis) -> None:
        self.system, self.kafka, self.redis = system, kafka, redis

    def configure(self, kafka_user: str, redis_user: str, **kafka: object) -> Path:
        """Settings that go by two users."""
        told = self.kafka.settings(kafka_user) | {"group": f"{self.system.prefix}leadbeat", "create_topics": False} | kafka
        told["password_file"] = self._file(f"kafka-{kafka_user}", told.pop("password"))
        redis = self.redis.settings(redis_user)
        redis["url_file"] = self._file(f"redis-{redis_user}", redis.pop("url"))
        connections = {"token_file": self._file("token", TOKEN), "secret_files": [self._file("secret", SECRET)]}
        sections = {"kafka": told, "redis": redis, "connections": connections}
        path = self.system.configure(f"{RULES}\nrequire_security = true\n", sections=sections)
        text = path.read_text().replace(f'url = "{self.redis.url}"\n', "")
        path.write_text(f"{text}\n{TOKENS.settings}\n")
        return path

    def _file(self, name: str, content: str) -> str:
        path = self.system.folder / f"{name}.secret"
        path.write_text(content)
        return path.name

    async def denied(self) -> list[Mapping[bytes, bytes]]:
        """What Redis has refused to whom."""
        return [dict(zip(entry[::2], entry[1::2], strict=True)) for entry in await ask(self.system.redis, "ACL", "LOG")]


@pytest.fixture
async def secured(secured_kafka, secured_redis, topic_prefix, tmp_path) -> AsyncIterator[Secured]:
    """With the rights of the documentation, and no service yet."""
    secured_redis.flush()
    grant(secured_kafka, topic_prefix)
    async with installed(secured_kafka, secured_redis, tmp_path, topic_prefix, RULES) as system:
        await ask(system.redis, "ACL", "LOG", "RESET")
        yield Secured(system, secured_kafka, secured_redis)


async def test_each_service_does_its_work_with_no_more_rights_than_are_listed(secured, now):
    system = secured.system
    worker = secured.configure("leadbeat-worker", "leadbeat-worker")
    system.start("gateway", secured.configure("leadbeat-gateway", "leadbeat-nobody"))
    system.start("worker", worker)
    system.start("exporter", secured.configure("leadbeat-nobody", "leadbeat-exporter"))
    await system.accepting()
    events = [*crowd(LEADS, now), erased(now - MINUTE, "lead-1")]
    for first in range(0, len(events), 50):
        await system.post(events[first : first + 50])
    await system.tick(now)
    await system.published(now)
    await _asked(system, now)

    (system.folder / "rules.toml").write_text(RULES.replace('target = "10m"', 'target = "9m"'))
    steps = [
        ("rules", "apply", system.folder / "rules.toml", "--wait"),
        ("audit",),
        ("table", "applied"),
        ("table", "window:24h"),
    ]
    for step in steps:
        code, out, err = await ran(*step, "--config", worker)
        assert code == 0, (step, out, err)
    await _is_well(secured)
    assert await secured.denied() == []


async def _asked(system: System, now: int) -> None:
    """The exporter answers everything that a token is for, and nothing without."""
    url, token = f"http://127.0.0.1:{system.exporter_port}", {"authorization": f"Bearer {TOKENS.token}"}
    for path in ("/metrics", "/api/v1/kpis?by=rep", "/api/v1/waiting", "/api/v1/kpis/leads_created/leads?window=7d"):
        answer = await system.client.get(url + path, headers=token)
        assert answer.status_code == 200, answer.text
        assert (await system.client.get(url + path)).status_code == 401
    assert (await system.client.get(f"{url}/api/v1/kpis", headers=token)).json()["clock"] == now


async def _is_well(secured: Secured) -> None:
    """What the doctor sees with rights to look at everything."""
    _, out, _ = await ran("doctor", "--json", "--config", secured.configure("leadbeat-doctor", "leadbeat-worker"))
    findings = json.loads(out)["findings"]
    assert not [each for each in findings if "could not be looked at" in each["what"] or "were not looked at" in each["what"]]
    assert {each["where"] for each in findings if each["level"] == "ok"} >= {f"Kafka at {secured.kafka.secured}", "exporter"}


async def test_topics_are_made_by_who_may_and_by_nobody_else(secured):
    system = secured.system
    grant(secured.kafka, f"{system.prefix}new.")
    prefix = {"topic_prefix": f"{system.prefix}new.", "create_topics": True}
    code, _, err = await ran("topics", "create", "--config", secured.configure("leadbeat-gateway", "leadbeat-nobody", **prefix))
    assert code == 2
    assert "cannot be made: TopicAuthorizationFailedError" in err
    assert "have somebody run `leadbeat topics create` who may" in err
    code, _, err = await ran("topics", "create", "--config", secured.configure("leadbeat-admin", "leadbeat-nobody", **prefix))
    assert code == 0, err


@pytest.mark.parametrize(
    ("service", "users", "said"),
    [
        ("gateway", ("leadbeat-nobody", "leadbeat-nobody"), "our user may not see it (give our user the rights that"),
        ("worker", ("leadbeat-worker", "leadbeat-nobody"), "no permissions"),
        ("worker", ("leadbeat-worker", "leadbeat-exporter"), "no permissions"),
        ("normaliser", ("leadbeat-gateway", "leadbeat-worker"), "-normaliser') (give our user the rights that docs/operations"),
    ],
    ids=lambda value: value if isinstance(value, str) and "-" not in value and " " not in value else "",
)
async def test_who_has_not_the_rights_for_his_work_ends_and_says_what_is_missing(secured, service, users, said):
    started = secured.system.start(service, secured.configure(*users))
    started.expected_to_live = False
    assert started.process.wait(60) != 0
    assert said in started.text(), started.text()
    assert PASSWORD.format(users[1]) not in started.text()


async def test_a_gateway_that_may_not_write_takes_nothing_and_says_why(secured):
    gateway = secured.system.start("gateway", secured.configure("leadbeat-doctor", "leadbeat-nobody"))
    (told,) = await secured.system.until(lambda: gateway.says("deliveries_not_ready"), 60, "the gateway says why")
    assert "AuthorizationFailedError() (give our user the rights that docs/operations.md lists)" in told["error"]
    assert (await secured.system.client.get(f"http://127.0.0.1:{secured.system.gateway_port}/readyz")).status_code == 503
