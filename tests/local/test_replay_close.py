"""Replay of what Close delivered: read as the normaliser reads it, with the settings of the connection."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from conversation import CASES, RECEIVED, case, connection, names
from services import CHECKOUT

from models.events import encode
from streams.inbound.normalise import Delivery, Unknown, normalise
from streams.inbound.providers import provider_of
from streams.local.recorder import recorded
from streams.local.recording import Fact, read

CONNECTIONS = {"acme": connection()}
ROSTER = '[[roster]]\nrep = "ana"\nteam = "north"\n'
CURRENCIES = {"EUR", "USD"}
DAY = ("contact_created", "lead_created", "call_created", "call_completed", "email_received", "meeting_held", "note_created")


def line_of(body: bytes) -> bytes:
    """The line of a recording that keeps a delivery of the conversation."""
    headers = Delivery("acme", RECEIVED, {}, body).record_headers()
    record = SimpleNamespace(topic="t", partition=0, offset=0, headers=headers, value=body)
    return recorded(record, {"acme": "close"})


@pytest.mark.parametrize("name", names())
def test_a_recorded_body_says_to_replay_what_it_says_to_the_normaliser(name):
    body = case(name).raw
    found = list(read(1, line_of(body), CURRENCIES, CONNECTIONS))
    said = normalise(Delivery("acme", RECEIVED, {}, body), provider_of(connection()), CURRENCIES)
    assert [encode(each.event) for each in found if isinstance(each, Fact)] == [value for _, value in said.events]
    assert found.count(Unknown()) == said.unknown
    assert not said.dead


def test_a_broken_body_is_a_mistake_with_its_place():
    (mistake,) = read(3, line_of(b'{"event": {}}'), CURRENCIES, CONNECTIONS)
    assert str(mistake) == "line 3, event 1: $.event: Object missing required field `id`"


@pytest.mark.parametrize(
    "connections", [{}, {"acme": connection().model_copy(update={"provider": "standard"})}], ids=["none", "of another kind"]
)
def test_without_settings_that_suit_it_is_read_as_close_comes(connections):
    (call,) = read(1, line_of(case("call_completed").raw), CURRENCIES, connections)
    assert (call.event.data.rep, call.event.data.connected) == ("user_N6Kh", True)


def test_the_command_reads_a_recording_with_the_settings_of_the_connection(tmp_path):
    (tmp_path / "leadbeat.toml").write_text((CASES / "settings.toml").read_text() + ROSTER)
    (tmp_path / "day.ndjson").write_bytes(b"".join(line_of(case(name).raw) for name in DAY))
    options = ("--config", tmp_path / "leadbeat.toml", "--by", "rep", "--window", "24h", "--format", "json")
    command = (sys.executable, "-m", "streams.cli", "replay", tmp_path / "day.ndjson", *options)
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True)
    answer = json.loads(done.stdout)
    assert done.stderr == b""
    assert (answer["events"], answer["unknown"]) == (sum(len(case(name).events or ()) for name in DAY), 1)
    told = {row["id"]: row["value"] for row in answer["kpis"] if row["slice"] == "ana"}
    assert {name: told[name] for name in ("calls", "calls_connected", "replies", "meetings_held", "demos_held")} == {
        "calls": 1,
        "calls_connected": 1,
        "replies": 1,
        "meetings_held": 1,
        "demos_held": 1,
    }
    assert told["lead_response_time_mean"] == 5 * 60
    assert told["leads_created"] == 1
