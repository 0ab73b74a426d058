"""The whole of it where everybody is asked who he is and may do only what docs/operations.md says that he needs."""

import json

import pytest
from children import ports_of, ran
from crowd import RULES, crowd
from histories import erased
from secured import PASSWORD, grant
from secured_system import TOKENS, Secured
from system import CONNECTION, System

from models.units import MINUTE
from streams.dead_letters.marks import is_letter

LEADS = 60
BROKEN = {"id": "b1", "type": "touch.upserted", "timestamp": "never", "subject": {"kind": "lead", "id": "lead-2"}, "data": {}}


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
    await system.post([BROKEN])
    await system.tick(now)
    await system.published(now)
    await _asked(system, now)
    assert [ports_of(service) for service in system.services] == [{system.gateway_port}, set(), {system.exporter_port}]

    (system.folder / "rules.toml").write_text(RULES.replace('target = "10m"', 'target = "9m"'))
    steps = [
        ("rules", "apply", system.folder / "rules.toml", "--wait"),
        ("audit",),
        ("table", "applied"),
        ("table", "window:24h"),
        ("erase", CONNECTION, BROKEN["subject"]["id"], "--yes"),
    ]
    for step in steps:
        code, out, err = await ran(*step, "--config", worker)
        assert code == 0, (step, out, err)
    await system.until(lambda: _swept(system), 60, "the letter of who was erased is taken out")
    await _is_well(secured)
    assert await secured.denied() == []


async def _swept(system: System) -> bool:
    """Whether a dead letter was taken out of its topic."""
    (records,) = await system.records(system.topics.dead, 1)
    letters = {record.key for record in records if is_letter(record) and record.value is not None}
    return any(record.key in letters and record.value is None for record in records)


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
    elsewhere = {"kafka": {"topic_prefix": f"{system.prefix}new.", "create_topics": True}}

    async def created_by(user: str) -> tuple[int, str]:
        code, _, err = await ran("topics", "create", "--config", secured.configure(user, "leadbeat-nobody", sections=elsewhere))
        return code, err

    code, err = await created_by("leadbeat-gateway")
    assert code == 2
    assert "cannot be made: TopicAuthorizationFailedError" in err
    assert "have somebody run `leadbeat topics create` who may" in err
    code, err = await created_by("leadbeat-admin")
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
