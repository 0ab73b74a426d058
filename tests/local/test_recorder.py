"""What is recorded of the deliveries topic, and that replay reads in it what the normaliser reads in the topic."""

import io
import json
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaProducer
from build import MINUTE, NOON, call
from hypothesis import example, given
from hypothesis import strategies as st

from models.events import encode
from models.units import Millis, isoformat
from streams.config import Connection, Settings
from streams.dead_letters.letters import LONGEST_REASON
from streams.inbound.normalise import Delivery, Unknown
from streams.inbound.normaliser import Normaliser
from streams.local.embedded import EmbeddedKafka
from streams.local.recorder import recorded, recording
from streams.local.recording import Fact, Mistake, read
from streams.telemetry import NormaliserMetrics, registry
from streams.topics import TICK_KEY, Topics, encode_tick
from streams.transport import TP

HERE = TP("crm.deliveries.v1", 1)
RECEIVED = Millis(NOON + 400)
CRM = Connection.model_validate({"name": "crm", "token": "t" * 16, "secrets": ["whsec_" + "A" * 32]})
PROVIDERS = {CRM.name: CRM.provider}
NORMALISER = Normaliser(Settings(connections=(CRM,)), None, NormaliserMetrics(registry()))


def event(**changes):
    return json.dumps(json.loads(encode(call("t1", NOON))) | changes).encode()


EVENTS = (
    event(),
    event(id="Zoë \U0001f600 \u2028 \u0000"),
    event(received_at=1, data={"at": isoformat(NOON), "rep": None}),
    event(subject={"kind": "lead", "id": "x" * 196}),
)
UNKNOWN = (event(type="invoice.upserted"), b'{"type": "body"}')
HOSTILE = (
    b'{"type": "erased", "id": "\\ud83d"}',
    b'{"type": "erased", "id": "\xff"}',
    b'{"type": "erased", "id": "\xed\xa0\xbd"}',
    b'{"type": "erased", "id": NaN}',
    b'{"type": "erased", "x": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    b'{"body": "{}"}',
    b"\xef\xbb\xbf{}",
    event(sequence=10**400),
    event(subject={"kind": "lead", "id": "x" * 197}),
    event(timestamp=isoformat(RECEIVED + 6 * MINUTE)),
)

elements = st.sampled_from(EVENTS + UNKNOWN + HOSTILE)
arrays = st.lists(elements, max_size=5).map(lambda several: b"[" + b" , ".join(several) + b"]")
cut = st.tuples(arrays, st.integers(0, 2000), st.binary(max_size=2)).map(lambda cut: cut[0][: cut[1]] + cut[2])
bodies = st.binary() | elements | arrays | cut | st.text().map(lambda text: json.dumps(text).encode())


def record(body, connection="crm", received_at=RECEIVED):
    """A record of the deliveries topic."""
    headers = Delivery(connection, received_at, {"webhook-id": "msg_1"}, body).record_headers()
    return SimpleNamespace(
        topic=HERE.topic, partition=HERE.partition, offset=17, timestamp=RECEIVED, key=None, value=body, headers=headers
    )


class Said(NamedTuple):
    """What somebody makes of a record: events as the topic has them, reasons of faults by place, how many types are unknown."""

    events: list[tuple[bytes, bytes]]
    faults: list[tuple[int | None, str]]
    unknown: int


def to_normaliser(record) -> Said:
    _, normalised = NORMALISER._normalised(HERE, record)
    letters = [json.loads(letter.record) for letter in normalised.dead]
    return Said(normalised.events, [(letter["index"], letter["reason"]) for letter in letters], normalised.unknown)


def to_replay(record) -> Said:
    (line,) = io.BytesIO(recorded(record, PROVIDERS))
    found = list(read(1, line, {"EUR"}))
    facts = [each for each in found if isinstance(each, Fact)]
    mistakes = [each for each in found if isinstance(each, Mistake)]
    assert {fact.received_at for fact in facts} <= {RECEIVED}
    return Said(
        [(f"lead:{fact.event.subject.id}".encode(), encode(fact.event)) for fact in facts],
        [(mistake.event and mistake.event - 1, mistake.what[:LONGEST_REASON]) for mistake in mistakes],
        found.count(Unknown()),
    )


@given(bodies)
@example(b"[" * 100_000)
@example(b"[" + b",".join(EVENTS[:1] * 1000) + b"]")
@example(b"[" + b",".join(EVENTS[:1] * 1001) + b"]")
@example(b"\x00" * 5000)
def test_a_recorded_delivery_says_to_replay_what_it_says_to_the_normaliser(body):
    assert to_replay(record(body)) == to_normaliser(record(body))


def test_of_an_array_each_element_counts_for_itself():
    whole = record(b"[" + b",".join(EVENTS + UNKNOWN + HOSTILE) + b"]")
    said = to_replay(whole)
    assert said == to_normaliser(whole)
    assert (len(said.events), len(said.faults), said.unknown) == (len(EVENTS), len(HOSTILE), len(UNKNOWN))


@pytest.mark.parametrize(
    "stranger",
    [
        record(EVENTS[0], connection="gone"),
        record(EVENTS[0], connection=""),
        record(EVENTS[0], received_at=0),
        record(None),
        SimpleNamespace(**vars(record(EVENTS[0])) | {"headers": ()}),
        SimpleNamespace(**vars(record(b"\xff")) | {"headers": (("connection", b"\xff"),)}),
    ],
)
def test_what_the_normaliser_refuses_as_a_whole_is_one_mistake(stranger):
    for said in (to_normaliser(stranger), to_replay(stranger)):
        assert (said.events, len(said.faults), said.unknown) == ([], 1, 0)


async def test_every_delivery_of_the_topic_is_recorded_and_no_tick(tmp_path):
    bodies = [b'["\xff"]', *EVENTS, b""]
    file = tmp_path / "day.ndjson"
    async with EmbeddedKafka() as bootstrap:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await producer.start()
        try:
            async with recording(bootstrap, file, PROVIDERS):
                for key, value, headers in (
                    (TICK_KEY, encode_tick(NOON // 1000), []),
                    (TICK_KEY, b"a tick that is none", []),
                    *((None, body, record(body).headers) for body in bodies),
                ):
                    await producer.send_and_wait(Topics().deliveries, value, key, headers=headers)
        finally:
            await producer.stop()
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert {line["provider"] for line in lines if line["connection"] == "crm"} == {"standard"}
    assert [line.get("body") for line in lines if not line["connection"]] == ["a tick that is none"]
    assert len(lines) == 1 + len(bodies)
