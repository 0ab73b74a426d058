"""Secrets whose files change while a process runs."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from functools import cache

import httpx
import pytest
from prometheus_client import CollectorRegistry
from published import at_noon, shelves
from services import until
from structlog.testing import capture_logs

from streams import rotation
from streams.config import SecretFiles, load
from streams.errors import Fatal
from streams.inbound import gateway
from streams.inbound.gateway import wall_clock
from streams.local.deliveries import Batch, secret_of, sign
from streams.serving.app import create

TOKENS = ("token_of_the_crm_0123456789", "another_token_of_the_crm_01")
SECRETS = tuple(secret_of(number) for number in (1, 2))
API = ("lbt_one", "lbt_two")
SETTINGS = """
ticks = "external"
[[connections]]
name = "crm"
token_file = "token"
secret_files = ["secret", "old-secret"]

[[connections]]
name = "other"
token = "token_of_another_0123456789"
secret_files = ["other-secret"]

[[api_tokens]]
name = "floor"
scopes = ["kpis"]
hash_files = ["hash"]
"""


class Files:
    """The files of the settings, which lie in a folder."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.write("token", TOKENS[0])
        for name in ("secret", "old-secret", "other-secret"):
            self.write(name, SECRETS[0])
        self.write("hash", self.hash_of(API[0]))

    def write(self, name: str, content: str) -> None:
        (self.folder / name).write_text(f"{content}\n")

    @staticmethod
    def hash_of(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()


@pytest.fixture
def files(tmp_path, monkeypatch) -> Files:
    monkeypatch.setattr(rotation, "LOOK_S", 0.02)
    return Files(tmp_path)


class Topic:
    """Takes everything."""

    async def append(self, value, headers):
        pass

    def unready(self):
        return None


@cache
def round_at_noon():
    return at_noon()


@asynccontextmanager
async def running(write):
    """Gateway and exporter with the settings, each a client, while their secrets may change; and their metrics."""
    config, registry = write(SETTINGS), CollectorRegistry()
    secrets, settings = SecretFiles(config), load(config)
    hooks = gateway.create(settings, Topic(), wall_clock, registry)
    api = create(settings, shelves(round_at_noon()))
    transports = [httpx.ASGITransport(app=app) for app in (hooks, api)]

    def take(read) -> None:
        hooks.state.doors.use(read.connections)
        api.state.access.use(read.api_tokens)

    async with (
        httpx.AsyncClient(transport=transports[0], base_url="http://gateway") as crm,
        httpx.AsyncClient(transport=transports[1], base_url="http://exporter") as floor,
        rotation.rotating(secrets, take, registry),
    ):
        yield crm, floor, registry


async def delivered(crm, token=TOKENS[0], secret=SECRETS[0]) -> int:
    """The status of the answer to a webhook."""
    batch = Batch("msg_1", ())
    headers = sign(secret, batch, wall_clock())
    return (await crm.post(f"/hooks/{token}", content=batch.body.encode(), headers=headers)).status_code


async def asked(floor, token=API[0]) -> int:
    return (await floor.get("/api/v1/catalogue", headers={"authorization": f"Bearer {token}"})).status_code


def counted(registry) -> tuple[float | None, float | None]:
    """How often secrets were taken, and whether some are refused."""
    return registry.get_sample_value("leadbeat_secrets_taken_total"), registry.get_sample_value("leadbeat_secrets_refused")


async def until_taken(registry, times: int) -> None:
    await until(lambda: counted(registry) == (times, 0), 10, "the secrets are taken")


async def test_new_secrets_let_in_and_old_ones_no_more_without_a_restart(files, write):
    async with running(write) as (crm, floor, registry):
        assert [await delivered(crm), await delivered(crm, secret=SECRETS[1]), await delivered(crm, TOKENS[1])] == [
            202,
            401,
            404,
        ]
        files.write("secret", SECRETS[1])
        await until_taken(registry, 1)
        assert [await delivered(crm), await delivered(crm, secret=SECRETS[1])] == [202, 202]  # the old one is given, too
        files.write("old-secret", SECRETS[1])
        files.write("token", TOKENS[1])
        await until_taken(registry, 2)
        assert [await delivered(crm), await delivered(crm, TOKENS[1]), await delivered(crm, TOKENS[1], SECRETS[1])] == [
            404,
            401,
            202,
        ]
        assert [await asked(floor), await asked(floor, API[1])] == [200, 401]
        files.write("hash", files.hash_of(API[1]))
        await until_taken(registry, 3)
        assert [await asked(floor), await asked(floor, API[1])] == [401, 200]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("secret", "whsec_short", "connections[0].secrets[0]: must be whsec_ and the base64 of at least 24 random bytes"),
        ("secret", "", "connections[0].secrets[0]: must be whsec_"),
        ("token", "short", "connections[0].token: must be 16 to 128 characters"),
        ("token", "token_of_another_0123456789", "connections[1].token: is the same as in connections[0]"),
        ("hash", API[1], "api_tokens[0].hashes[0]: must be the SHA-256 of a token"),
        ("other-secret", None, "connections[1].secrets: secret_files: other-secret cannot be read"),
    ],
)
async def test_a_bad_new_file_leaves_all_as_it_was_and_is_told(files, write, name, content, what):
    before = (files.folder / name).read_text()
    with capture_logs() as logs:
        async with running(write) as (crm, floor, registry):
            (files.folder / name).unlink() if content is None else files.write(name, content)
            files.write("old-secret", SECRETS[1])
            await until(lambda: counted(registry) == (0, 1), 10, "the secrets are refused")
            assert [await delivered(crm), await delivered(crm, secret=SECRETS[1]), await asked(floor)] == [202, 401, 200]
            (files.folder / name).write_text(before)
            await until_taken(registry, 1)
            assert await delivered(crm, secret=SECRETS[1]) == 202
    (refused,) = [line for line in logs if line["event"] == "secrets_refused"]
    assert what in refused["what"]
    assert not content or content not in str(logs)


class Written:
    """Stands for files in which more is found at each look."""

    paths = ("secret",)

    def __init__(self, *looks: bytes) -> None:
        self.before, *self.looks = looks
        self.taken = asyncio.Queue()

    def digests(self) -> bytes:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def read(self) -> int:
        return len(self.looks)


async def test_a_file_that_is_still_being_written_is_waited_for(monkeypatch):
    """Half a secret may look like a whole one: it is taken when it has stood still from one look to the next."""
    monkeypatch.setattr(rotation, "LOOK_S", 0)
    written = Written(b"", b"h", b"ha", b"hal", b"half", b"whole", b"whole", b"end")
    async with rotation.rotating(written, written.taken.put_nowait, CollectorRegistry()), asyncio.timeout(10):
        assert [await written.taken.get(), await written.taken.get()] == [1, 1]
    assert written.taken.empty()


async def test_what_else_has_changed_in_the_settings_waits_for_a_restart(files, write):
    async with running(write) as (crm, _, registry):
        write(SETTINGS.replace("other-secret", "nowhere").replace("external", "nonsense"))
        files.write("token", TOKENS[1])
        await until_taken(registry, 1)
        assert await delivered(crm, TOKENS[1]) == 202


def test_files_are_those_that_can_be_exchanged(write, tmp_path, files):
    more = f'[redis]\nurl_file = "redis.url"\n[worker]\nsubject_key_file = "key"\n{SETTINGS}'
    found = SecretFiles(write(more.replace('ticks = "external"', "")))
    assert {path.name for path in found.paths} == {"token", "secret", "old-secret", "other-secret", "hash"}
    with pytest.raises(Fatal, match=r"nowhere\.toml"):
        SecretFiles(tmp_path / "nowhere.toml")


async def test_without_files_nothing_is_looked_for(write, monkeypatch):
    monkeypatch.setattr(SecretFiles, "digests", lambda _: ())
    async with rotation.rotating(SecretFiles(write("")), pytest.fail, CollectorRegistry()):
        assert not [task for task in asyncio.all_tasks() if "_watch" in repr(task)]
