"""Whatever comes in, nothing breaks: what is not authentic stays out, what cannot be read is kept, and the pages stay valid."""

import base64
import gzip
import json

import httpx
from histories import Event, call, lead
from services import until
from system import CONNECTION, SECRET, clock_of
from verdicts import told_by

from models.units import DAY, MINUTE, SECOND, Millis, isoformat
from streams.inbound.providers import standard

MEBIBYTE = 2**20

NAMES = {
    '"ana"': '"ana"',
    "b\\en": "b\\en",
    "cl\neo": "cl\ufffd000aeo",
    "d|o=r{a}#": "d|o=r{a}#",
    "\x00\x1b[31m": "\ufffd0000\ufffd001b[31m",
    "\u202efe\u2028": "\u202efe\ufffd2028",
    "gr\U0001f600n": "gr\U0001f600n",
    "N" * 200: "N" * 200,
}
"""Reps of the roster, and what the exposition calls them."""

RULES = f"""
organisation.zone = "UTC"
roster = [{", ".join(f'{{ rep = {json.dumps(name, ensure_ascii=False)}, team = "north" }}' for name in NAMES)}]
"""


class Sender:
    """Posts bodies to a hook as somebody who knows the secret does, or nearly so."""

    def __init__(self, client: httpx.AsyncClient, hook: str, now: int) -> None:
        self._client, self._hook, self._now, self._count = client, hook, now, 0

    async def post(self, body: bytes, *, at: int = 0, hook: str = "", secret: str = SECRET, **headers: str) -> int:
        """The status of the answer to a signed body; `headers` (with underscores) replace those of the signature."""
        self._count += 1
        identity, timestamp = f"msg_{self._count}", str((at or self._now) // SECOND)
        signature = base64.b64encode(standard.sign(identity, timestamp, body, standard.key_of(secret))).decode()
        signed = {"webhook-id": identity, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
        replaced = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self._client.post(hook or self._hook, content=body, headers=signed | replaced)
        return answer.status_code


async def test_what_is_not_authentic_too_large_or_compressed_is_refused_at_the_door(system, now):
    await _started(system, "gateway")
    sender = Sender(system.client, system.hook, now)
    body = json.dumps(call("c1", now)).encode()
    statuses = {
        "unsigned": (await system.client.post(system.hook, content=body)).status_code,
        "of another": await sender.post(body, secret="whsec_" + "A" * 32),
        "wrongly signed": await sender.post(body, webhook_id="msg_other"),
        "stale": await sender.post(body, at=now - 6 * MINUTE),
        "from the future": await sender.post(body, at=now + 6 * MINUTE),
        "of nobody": await sender.post(body, hook=system.hook[:-1]),
        "too large": await sender.post(b" " * (MEBIBYTE + 1)),
        "compressed": await sender.post(gzip.compress(body, mtime=0), content_encoding="gzip"),
        "as it should be": await sender.post(body),
        "as large as may be": await sender.post(body + b" " * (MEBIBYTE - len(body))),
    }
    assert statuses == {
        "unsigned": 401,
        "of another": 401,
        "wrongly signed": 401,
        "stale": 401,
        "from the future": 401,
        "of nobody": 404,
        "too large": 413,
        "compressed": 415,
        "as it should be": 202,
        "as large as may be": 202,
    }
    assert await system.ends(system.topics.deliveries) == 2


def hostile(now: int) -> list[tuple[bytes, str]]:
    """Authentic bodies that hold no event, and where each is wrong."""
    good = call("c1", now)

    def changed(**fields: object) -> bytes:
        return json.dumps(good | fields).encode()

    return [
        (b"", "$"),
        (b"hello", "$"),
        (b"\xff\xfe{\x00}\x00", "$"),
        (b'"an event"', "$"),
        (b"[" * 100_000, "$"),
        (b'{"x":' * 100_000 + b"1" + b"}" * 100_000, "$"),
        (changed(type=None), "$.type"),
        (changed(sequence=float("nan")), "$"),
        (changed(sequence=10**400), "$.sequence"),
        (changed(data={"channel": "call", "rep": "half a \ud83d pair"}), "$"),
        (changed(timestamp=isoformat(Millis(now + DAY))), "$.timestamp"),
        (changed(data={"at": isoformat(Millis(now + 6 * MINUTE)), "channel": "call"}), "$.data.at"),
    ]


def batch_of_a_hundred(now: int) -> list[Event]:
    """Calls of a stranger to a hundred leads, one of them at no time."""
    events = [call(f"c{number}", now - MINUTE, f"lead-{number}", rep='stranger"\n') for number in range(100)]
    events[42]["data"]["at"] = "soon"
    return events


async def test_what_is_authentic_is_taken_and_what_cannot_be_read_kept_while_the_rest_works(system, prometheus, now):
    await _started(system, "gateway", "worker", "exporter")
    target = f"127.0.0.1:{system.exporter_port}"
    job = {"job_name": "leadbeat", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
    observer = prometheus({"scrape_configs": [job]})
    sender = Sender(system.client, system.hook, now)
    bodies = hostile(now)
    assert {await sender.post(body) for body, _ in bodies} == {202}
    hundred = batch_of_a_hundred(now)
    assert await sender.post(json.dumps(hundred).encode()) == 202
    unknown = [lead(version=now) | {"type": name} for name in ("invoice.paid", 'a"\n\u0000b')]
    assert await sender.post(json.dumps(unknown).encode()) == 202
    calls = [call(f"d{number}", now - MINUTE, f"of-{number}", rep=name) for number, name in enumerate(NAMES)]
    assert await sender.post(json.dumps(calls).encode()) == 202

    await system.tick(now)
    page = await system.round(now)
    by_rep = {
        dict(labels)["rep"]: value
        for (metric, labels), value in page.items()
        if metric == "leadbeat_calls_by_rep" and dict(labels)["window"] == "1h"
    }
    assert by_rep == dict.fromkeys(NAMES.values(), 1) | {"other": 99}
    assert page["leadbeat_calls", frozenset({("window", "1h")})] == 99 + len(NAMES)
    await until(lambda: clock_of(told_by(observer)) == now, 30, "Prometheus has scraped the round")
    series = observer.query('leadbeat_calls_by_rep{window="1h"}')
    assert {each["metric"]["rep"]: float(each["value"][1]) for each in series} == by_rep

    letters = await system.letters()
    alone = [letter for letter in letters if letter["where"] != "$.data.at" or "soon" not in letter["body"]]
    assert sorted(letter["where"] for letter in alone) == sorted(where for _, where in bodies)
    (of_hundred,) = [letter for letter in letters if letter not in alone]
    assert (of_hundred["index"], json.loads(of_hundred["body"])) == (42, hundred[42])
    assert all(letter["reason"] and letter["connection"] == CONNECTION for letter in letters)


async def _started(system, *names: str) -> None:
    config = system.configure(RULES)
    for name in names:
        system.start(name, config)
    await system.accepting()
