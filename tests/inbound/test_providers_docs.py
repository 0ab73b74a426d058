import asyncio
import json
import re
import shutil
import sys
import tomllib

import pytest
from services import CHECKOUT, until

from models.belief import believe
from models.events import EVENT_TYPES, decode, schema
from models.units import millis
from streams import server
from streams.config import CloseFields, CloseSettings, load
from streams.inbound import gateway
from streams.inbound.normalise import Delivery, normalise
from streams.inbound.providers import PROVIDERS, standard
from streams.inbound.providers.close import activities, records

EUROS = {"EUR"}

CLOSE = 1
PAGE = (CHECKOUT / "docs" / "providers.md").read_text()


def block(language: str, section: int = 0) -> str:
    """The page's code in a language, of which each of its two parts (our own webhooks, Close) has at most one block."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.split("\n## 5. Close\n")[section], re.DOTALL | re.MULTILINE)
    return found


class Topic:
    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    async def append(self, value, headers):
        self.deliveries.append(Delivery.of_record(headers, value, "t", 0, 0))

    def unready(self):
        return None


@pytest.fixture
async def topic():
    return Topic()


@pytest.fixture
async def url(topic):
    """Where a gateway with the example's settings listens."""
    listener = server.listen("127.0.0.1", 0)
    app = gateway.create(load(CHECKOUT / "docs" / "leadbeat.example.toml"), topic, gateway.wall_clock)
    web = server.server_of(app)
    serving = asyncio.create_task(web.serve(sockets=[listener]))
    await until(lambda: web.started, 10, "started")
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    web.should_exit = True
    await serving


async def run(*command: str) -> str:
    """What a program prints; fails the test if it fails."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    async with asyncio.timeout(30):
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


def test_the_connections_are_those_of_the_example():
    example = tomllib.loads((CHECKOUT / "docs" / "leadbeat.example.toml").read_text())
    standard_one, close_one = example["connections"]
    assert tomllib.loads(block("toml"))["connections"] == [standard_one]
    close_one["close"].pop("signature_age")
    assert tomllib.loads(block("toml", CLOSE))["connections"] == [close_one]


def test_what_the_page_subscribes_to_is_what_is_used():
    (subscription,) = re.findall(r"--data '(.*?)'", block("bash", CLOSE), re.DOTALL)
    subscribed = {event["object_type"] for event in json.loads(subscription)["events"]}
    assert subscribed == set(records._TELLERS) | set(activities._ACTIVITIES)


def test_all_settings_of_close_are_described():
    described = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert described >= {*CloseSettings.model_fields, *CloseFields.model_fields, "email_key"}


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl and openssl are not on the PATH")
async def test_the_example_for_the_shell_works(url, topic):
    answer = await run("bash", "-euo", "pipefail", "-c", block("bash").replace("http://127.0.0.1:8080", url))
    assert json.loads(answer) == {"accepted": True}
    (delivery,) = topic.deliveries
    result = normalise(delivery, standard, EUROS)
    assert [key for key, _ in result.events] == [b"lead:acme-crm:42"]


async def test_the_example_in_python_works(url, topic):
    await run(sys.executable, "-W", "error", "-c", block("python").replace("http://127.0.0.1:8080", url))
    (delivery,) = topic.deliveries
    result = normalise(delivery, standard, EUROS)
    assert [decode(value).id for _, value in result.events] == ["change-2", "change-3"]


async def test_the_example_in_python_fails_if_it_is_not_accepted(url, topic):
    with pytest.raises(AssertionError, match="HTTP Error 401"):
        await run(sys.executable, "-c", block("python").replace("http://127.0.0.1:8080", url).replace("whsec_bm", "whsec_bn"))
    assert topic.deliveries == []


def test_the_example_of_an_event_is_one():
    event = decode(block("json").encode())
    believe(event, millis(event.timestamp), EUROS)


def test_all_types_and_fields_of_events_are_described():
    described = set(re.findall(r"`([a-z_.]+)`", PAGE))
    assert described >= EVENT_TYPES
    definitions = schema()["$defs"]
    fields = {field for name, part in definitions.items() if name.endswith("Data") for field in part["properties"]}
    assert described >= fields


def test_the_statuses_are_those_that_the_gateway_gives():
    code = "".join(
        (CHECKOUT / "streams" / name).read_text() for name in ("inbound/gateway.py", "inbound/bodies.py", "server.py")
    )
    given = set(re.findall(r"(?:Refused\(|answer\(|HTTP/1.1 )(\d{3})", code))
    given |= {str(each.BUSY.status) for each in PROVIDERS.values()}
    assert set(re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)) == given


async def test_the_schema_is_fresh():
    kept = (CHECKOUT / "docs" / "events.schema.json").read_text()
    assert await run(sys.executable, "-m", "streams.cli", "schema") == kept, "make docs"
