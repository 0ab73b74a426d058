"""Secrets reach no log at any level, no metric, no answer and no list of processes; what is said of prospects no log."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

from children import Service, processes_of, ran
from histories import call, lead
from secured import PASSWORD
from secured_system import TOKENS, Secured
from services import until
from system import SECRET, TOKEN

from models.units import MINUTE
from streams.inbound.gateway import wall_clock
from streams.local.deliveries import Batch, secret_of, sign

OF_CLOSE = {"token": "canary_token_of_close_0123456789", "secret": "ca" * 32, "email_key": "ab" * 32}
SUBJECT_KEY = "cd" * 32
WRONG = {"token": "canary_token_of_nobody_0123456789", "secret": secret_of(77), "api": "lbt_canary-of-nobody"}
SECRETS = {
    **{f"password of {user}": PASSWORD.format(f"leadbeat-{user}") for user in ("gateway", "worker", "exporter", "doctor")},
    "token": TOKEN,
    "signing secret": SECRET,
    "API token": TOKENS.token,
    "subject key": SUBJECT_KEY,
    **{f"{name} of Close": value for name, value in OF_CLOSE.items()},
    **{f"{name} of nobody": value for name, value in WRONG.items()},
}
PROSPECTS = {name: f"canary-{name}@example.com" for name in ("lead", "broken", "owner", "kind")}
"""What deliveries say, as a careless CRM would have it."""


def forms(secret: str) -> set[str]:
    """A secret as it stands, as URLs and headers have it, and as Python would show it."""
    encoded = (base64.b64encode(text.encode()).decode().rstrip("=") for text in (secret, f":{secret}", f"ana:{secret}"))
    return {secret, quote(secret, safe=""), repr(secret)[1:-1], json.dumps(secret)[1:-1], *encoded}


async def test_nothing_secret_is_told_by_anybody(secured: Secured, now):
    configs = _configured(secured)
    services = [secured.system.start(name, config) for name, config in configs.items()]
    await secured.system.accepting()
    processes = "\n".join(_process(pid) for service in services for pid in processes_of(service))
    assert "streams.cli" in processes
    told = [*await _delivered(secured, now), *await _asked(secured, now)]
    await _broken(secured, services)
    for step in (("doctor",), ("audit",), ("table", "applied"), ("rules", "check", configs["worker"])):
        told += map(str, await ran(*step, "--config", configs["worker"]))
    logs = "\n".join(service.text() for service in services)
    for event in ("delivery_unauthentic", "api_refused", "secrets_refused", "dead_letters"):
        assert f'"{event}"' in logs
    assert '"level": "debug"' in logs
    everything = "\n".join([logs, processes, *told])
    assert {name for name, secret in SECRETS.items() if any(form in everything for form in forms(secret))} == set()
    assert {name for name, text in PROSPECTS.items() if text in logs} == set()


def _configured(secured: Secured) -> dict[str, Path]:
    close = {f"{name}_file": secured.file(f"close-{name}", value) for name, value in OF_CLOSE.items() if name != "secret"}
    files = [f'secret_files = ["{secured.file("close-secret", OF_CLOSE["secret"])}"]']
    files += [f'{key} = "{name}"' for key, name in close.items()]
    more = "\n".join(['[[connections]]\nname = "close"\nprovider = "close"', *files])
    key = {"worker": {"subject_key_file": secured.file("subject-key", SUBJECT_KEY)}}
    users = {
        "gateway": ("leadbeat-gateway", "leadbeat-nobody"),
        "worker": ("leadbeat-worker", "leadbeat-worker"),
        "exporter": ("leadbeat-nobody", "leadbeat-exporter"),
    }
    return {name: secured.configure(*pair, more, sections=key, log_level="debug") for name, pair in users.items()}


async def _delivered(secured: Secured, now: int) -> list[str]:
    """What the gateway answers: to what is right, wrong, of nobody, and to what cannot be read."""
    system = secured.system
    good = [lead(PROSPECTS["lead"], version=now - MINUTE, owner=PROSPECTS["owner"], created_at=now - MINUTE)]
    bad = [call(PROSPECTS["broken"], now) | {"data": {"at": PROSPECTS["kind"], "channel": "call"}}]
    answers = []
    for token, secret, events in (
        (TOKEN, SECRET, [*good, *bad]),
        (TOKEN, WRONG["secret"], good),
        (WRONG["token"], SECRET, good),
        (OF_CLOSE["token"], OF_CLOSE["secret"], good),
    ):
        batch = Batch("msg_1", tuple(events))
        headers = sign(secret if secret.startswith("whsec_") else SECRET, batch, wall_clock())
        url = f"http://127.0.0.1:{system.gateway_port}/hooks/{token}"
        answer = await system.client.post(url, content=batch.body, headers=headers)
        answers += [str(answer.status_code), answer.text, str(answer.headers)]
    assert answers[::3] == ["202", "401", "404", "401"]
    await system.tick(now)
    await system.published(now)
    return [*answers, (await system.client.get(f"http://127.0.0.1:{system.gateway_port}/metrics")).text]


async def _asked(secured: Secured, now: int) -> list[str]:
    """What the exporter answers, to who may ask and to who may not, wherever the token is put."""
    url, answers = f"http://127.0.0.1:{secured.system.exporter_port}", []
    basic = base64.b64encode(f"ana:{TOKENS.token}".encode()).decode()
    odd = (f"/api/v1/kpis?token={TOKENS.token}", f"/api/v1/kpis?kpi={WRONG['api']}")
    for path in ("/metrics", "/api/v1/kpis?kpi=calls", *odd):
        for header in (f"Bearer {TOKENS.token}", f"Bearer {WRONG['api']}", f"Basic {basic}", TOKENS.token, ""):
            answer = await secured.system.client.get(url + path, headers={"authorization": header})
            if path not in odd:  # a question is repeated to who has asked it
                answers += [answer.text, str(answer.headers)]
    return answers


async def _broken(secured: Secured, services: list[Service]) -> None:
    """Redis goes and comes back; a file of secrets is spoiled."""
    await secured.system.crash_redis()
    gateway = services[0]
    secured.file("secret", WRONG["token"])
    await until(lambda: gateway.says("secrets_refused"), 60, "the gateway refuses the secret")


def _process(pid: int) -> str:
    """How a process was started, as everybody can see, and its environment."""
    return "\n".join(Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b"\n").decode() for name in ("cmdline", "environ"))
