import io
import json
import logging
import warnings
from collections import Counter

import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import SecretStr

from streams import telemetry
from streams.config import MinimumN

CANARY = "canary-4711"


@pytest.fixture
def output():
    """What is logged, between the logging set-up that pytest has and the one that it gets back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(output: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_a_line_is_an_event_its_fields_and_where_and_when(output):
    telemetry.configure(stream=output)
    with structlog.contextvars.bound_contextvars(partition=3):
        structlog.get_logger("streams.x").warning("tick_refused", at=17)
    (line,) = lines(output)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "tick_refused", "level": "warning", "logger": "streams.x", "partition": 3, "at": 17}


def test_what_is_below_the_level_is_not_logged(output):
    telemetry.configure("warning", stream=output)
    structlog.get_logger("x").info("quiet")
    logging.getLogger("x").info("quiet")
    structlog.get_logger("x").error("loud")
    assert [line["event"] for line in lines(output)] == ["loud"]


@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets_are_never_rendered(output, style):
    telemetry.configure("debug", style, stream=output)
    log = structlog.get_logger("x")
    log.info("a", token=CANARY, Authorization=f"Bearer {CANARY}", secrets=[CANARY], settings=SecretStr(CANARY))
    log.info("b", headers={"webhook-signature": CANARY, "nested": [{"client_secret": CANARY, "password": CANARY.encode()}]})
    try:
        MinimumN.model_validate({"mean": CANARY, CANARY[:3]: 1})
    except ValueError:
        hidden = SecretStr(CANARY)
        log.exception("c", hidden=hidden)
    assert CANARY not in output.getvalue()
    assert output.getvalue().count(telemetry.MASK) >= 6


def test_numbers_are_not_secrets(output):
    telemetry.configure(stream=output)
    structlog.get_logger("x").info("claimed", token=7, tokens=(1, 2), signature=None)
    (line,) = lines(output)
    assert (line["token"], line["signature"]) == (7, None)


@pytest.mark.parametrize("name", ["aiokafka.conn", "faust.app", "mode", "uvicorn.error", "asyncio", "kafka"])
def test_others_debugging_is_not_logged_even_when_ours_is(output, name):
    telemetry.configure("debug", stream=output)
    logging.getLogger(name).debug("key and value")
    logging.getLogger(name).info("connected")
    structlog.get_logger("streams").debug("ours")
    assert [line["event"] for line in lines(output)] == ["connected", "ours"]


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "uvicorn.access"])
def test_what_writes_out_urls_is_heard_only_when_it_warns(name):
    def heard(level: int) -> bool:
        return telemetry.above_floor(logging.LogRecord(name, level, "", 0, "POST /hooks/token", None, None))

    assert [heard(level) for level in (logging.INFO, logging.WARNING)] == [False, True]


def test_others_say_the_same_once_and_we_as_often_as_we_like(output):
    telemetry.configure(stream=output)
    for broker in (1, 2) * 50:
        logging.getLogger("aiokafka").error("Unable connect to node with id %s: %s", broker, OSError("refused"))
        structlog.get_logger("streams.x").warning("commit_failed")
    said = Counter(line["event"] for line in lines(output))
    assert said == {
        "Unable connect to node with id 1: refused": 1,
        "Unable connect to node with id 2: refused": 1,
        "commit_failed": 100,
    }
    ours = logging.LogRecord("streams.x", logging.WARNING, "", 0, {"event": "commit_failed"}, None, None)
    repeats = telemetry.Repeats()
    assert all(repeats.filter(ours) for _ in range(3))


def test_what_is_said_again_later_tells_how_often_it_was_left_out():
    clock = iter([0, 29, 29.9, 30, 31, 60, 1000])
    repeats = telemetry.Repeats(lambda: next(clock))

    def told():
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "away", None, None)
        return repeats.filter(record), getattr(record, "left_out", 0)

    assert [told() for _ in range(7)] == [(True, 0), (False, 0), (False, 0), (True, 2), (False, 0), (True, 1), (True, 0)]


def test_the_number_that_was_left_out_stands_in_the_line(output):
    telemetry.configure(stream=output)
    logging.getLogger("aiokafka").error("away", extra={"left_out": 149, "other": 1})
    (line,) = lines(output)
    assert (line["left_out"], "other" in line) == (149, False)


def test_faults_of_one_text_are_told_apart_by_their_exceptions(output):
    telemetry.configure(stream=output)
    for fault in (ValueError("a"), ValueError("b"), KeyError("a"), ValueError("a")):
        try:
            raise fault
        except (ValueError, KeyError):
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    told = [line["exception"].splitlines()[-1] for line in lines(output)]
    assert told == ["ValueError: a", "ValueError: b", "KeyError: 'a'"]


def test_no_more_lines_are_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(telemetry, "MOST_LINES", 2)
    repeats = telemetry.Repeats(lambda: 0.0)
    records = [logging.LogRecord("x", logging.INFO, "", 0, text, None, None) for text in "abcaccb"]
    assert [repeats.filter(record) for record in records] == [True, True, True, True, False, False, True]


def test_arguments_that_do_not_fit_do_no_harm_to_who_logs():
    record = logging.LogRecord("x", logging.INFO, "", 0, "%d", ("a",), None)
    repeats = telemetry.Repeats()
    assert [repeats.filter(record) for _ in range(2)] == [True, False]


def test_a_line_break_in_what_is_said_does_not_begin_a_line(output):
    telemetry.configure(style="console", stream=output)
    logging.getLogger("x").warning("a\r\nforged line")
    assert output.getvalue().count("\n") == 1
    telemetry.configure(style="json", stream=output)
    structlog.get_logger("x").warning("a\nb", c="\r\n\ud800")
    assert output.getvalue().count("\n") == 2


def test_warnings_and_exceptions_are_lines_too(output):
    telemetry.configure(stream=output)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("failed")
    warned, failed = lines(output)
    assert "old ways" in warned["event"]
    assert failed["exception"].endswith("ValueError: broken")


def test_all_metrics_of_a_process_share_a_registry_without_clashing():
    registry = telemetry.registry()
    telemetry.GatewayMetrics(registry).accepted.labels("acme").inc()
    telemetry.NormaliserMetrics(registry).ticks_refused.inc()
    telemetry.ProcessorMetrics(registry).checkpoints.labels("0", "OK").inc()
    page = generate_latest(registry).decode()
    assert 'leadbeat_deliveries_accepted_total{connection="acme"} 1.0' in page
    assert 'leadbeat_checkpoints_total{answer="OK",partition="0"} 1.0' in page
    assert "process_resident_memory_bytes" in page


def test_a_spool_tells_what_it_holds_when_it_is_asked_and_no_oldest_delivery_where_there_is_none():
    states = iter([telemetry.SpoolState(0, 8192, 2**30, 1000, None), telemetry.SpoolState(2, 9000, 2**30, 900, 1777885200.5)])
    registry = CollectorRegistry()
    registry.register(telemetry.SpoolCollector(lambda: next(states)))

    def told() -> list[str]:
        return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]

    assert not any("oldest" in line for line in told())
    assert told() == [
        "leadbeat_gateway_spool_deliveries 2.0",
        "leadbeat_gateway_spool_bytes 9000.0",
        "leadbeat_gateway_spool_limit_bytes 1.073741824e+09",
        "leadbeat_gateway_spool_room_bytes 900.0",
        "leadbeat_gateway_spool_oldest_receipt_timestamp_seconds 1.7778852005e+09",
    ]
