"""The Redis server: how it is reached, what it must be like, and what its errors mean."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, Final, TypeAlias

import hiredis
from redis import asyncio, exceptions
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry as Retries
from redis.backoff import NoBackoff

from models.errors import UNREADABLE
from streams.errors import Fatal, Retry
from streams.tables.keys import Keys
from streams.tables.rows import LAYOUT

Redis: TypeAlias = asyncio.Redis
"""The client, named here for all that only pass it on."""

OLDEST_VERSION: Final = (6, 2)
"""Streams are trimmed by id, and scripts are replicated by their effects, from here on."""

_PASSING: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ClusterDownError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.TryAgainError,
    OSError,
)
_PASSING_CODES: Final = ("BUSY", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "UNBLOCKED")
_RIGHTS: Final = "+@hash +@set +@sortedset +@stream +@scripting +type +exists +unlink +info +time"
_REFUSING: Final = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)


def connect(url: str, *, timeout_s: float = 5.0) -> Redis:
    """A client that answers bytes and repeats nothing by itself.

    What is sent again, and when, is decided where the effect of a lost answer is known: a write that is repeated behind our
    back would be taken for two. `timeout_s` holds for connecting and for each answer.
    """
    client = Redis.from_url(
        url,
        decode_responses=False,
        protocol=2,
        retry=Retries(NoBackoff(), 0),
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
    )
    pool = client.connection_pool
    pool.connection_class = _packing(pool.connection_class)
    return client


def _packing(connection: type[AbstractConnection]) -> type[AbstractConnection]:
    """A kind of connection that packs its commands in C, as the client's blocking connections do.

    In Python that takes as long as the server takes to carry out the largest ones.
    """

    def pack_command(_: AbstractConnection, *args: str | bytes | int) -> list[bytes]:
        first, *rest = args
        words = first.split() if isinstance(first, (str, bytes)) else [first]
        return [hiredis.pack_command((*words, *rest))]

    return type(connection.__name__, (connection,), {"pack_command": pack_command})


@contextmanager
def reaching(where: str) -> Iterator[None]:
    """Turns what the client raises inside into Retry (it may pass by itself) or Fatal (somebody must act).

    Fatal is also what is raised by reading an answer that is not what this version writes.
    """
    try:
        yield
    except _REFUSING as error:
        raise Fatal(where, str(error), "check the user, password and rights in redis.url") from error
    except _PASSING as error:
        raise Retry(where, f"Redis does not answer: {error}", "wait, it is asked again") from error
    except exceptions.ResponseError as error:
        if str(error).startswith(_PASSING_CODES):
            raise Retry(where, str(error), "wait, it is asked again") from error
        raise Fatal(where, str(error), "find out who else writes under this prefix") from error
    except exceptions.RedisError as error:
        raise Fatal(where, repr(error)) from error
    except UNREADABLE as error:
        what = f"holds what this version does not write: {error!r}"
        raise Fatal(where, what, "find out who else writes under this prefix") from error


@cache
def load_script(package: str, name: str) -> tuple[str, str]:
    """A script that lies beside the code of `package`: its source and the name by which the server keeps it."""
    source = files(package).joinpath(name).read_text(encoding="utf-8")
    return source, sha1(source.encode(), usedforsecurity=False).hexdigest()


async def ask(redis: Redis, *command: str | bytes | int) -> Any:
    """The answer to one command, in bytes. Raises what the client raises (the client's own types leave bytes or text open)."""
    return await redis.execute_command(*command)  # type: ignore[no-untyped-call]


async def run_script(redis: Redis, script: tuple[str, str], keys: Sequence[str], args: Sequence[bytes | str | int]) -> Any:
    """The script's answer as bytes, integers and lists. Raises what the client raises."""
    source, digest = script
    try:
        return await ask(redis, "EVALSHA", digest, len(keys), *keys, *args)
    except exceptions.NoScriptError:
        return await ask(redis, "EVAL", source, len(keys), *keys, *args)


async def answers(redis: Redis) -> bool:
    """Whether the server answers now."""
    try:
        with reaching("redis"):
            await ask(redis, "PING")
    except (Retry, Fatal):
        return False
    return True


async def check_server(redis: Redis, prefix: str) -> None:
    """Refuses a server that would lose or cannot take our writes.

    Raises Fatal for a version before 6.2, a replica, an eviction policy other than noeviction or missing rights: a script that
    is stopped for a missing right after its first write stays half written. Raises Retry if the server cannot answer now.
    """
    for fault in server_faults(await read_info(redis)):
        raise fault
    with reaching("redis"):
        failures = await run_script(redis, load_script("streams.tables", "probe.lua"), [Keys(prefix, 0).part("probe")], [])
    for failure in failures:
        text = failure.decode()
        if not _is_about_rights(text):
            raise Retry("redis", text, "wait, it is asked again")
        raise Fatal("redis", f"its user may not write: {text}", f"grant {_RIGHTS} on the prefix")


async def read_info(redis: Redis) -> dict[str, Any]:
    """What the server says of itself. Raises Retry and Fatal."""
    with reaching("redis"):
        info: dict[str, Any] = await redis.info()
    return info


def server_faults(info: Mapping[str, Any]) -> Iterator[Fatal]:
    """All that is against a server, by what it says of itself."""
    version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    if version < OLDEST_VERSION:
        yield Fatal("redis", f"version {info['redis_version']} is too old", "use Redis 6.2 or later, or Valkey")
    if info["role"] != "master":
        yield Fatal("redis", f"it is a {info['role']}, whose writes are refused or lost", "let redis.url name the master")
    policy = info["maxmemory_policy"]
    if policy != "noeviction":
        yield Fatal("redis", f"maxmemory-policy is {policy}: it would delete our state", "set maxmemory-policy noeviction")


def _is_about_rights(text: str) -> bool:
    return "NOPERM" in text or "can't run this command" in text or "Unknown Redis command" in text


async def check_layout(redis: Redis, prefix: str, partitions: int) -> None:
    """Refuses to start where another layout or partition count is stored under any partition; a claim looks at its own only.

    Raises Fatal, naming both, or Retry.
    """
    async with redis.pipeline(transaction=False) as pipeline:
        for partition in range(partitions):
            pipeline.hmget(Keys(prefix, partition).applied, ["layout", "partitions"])
        with reaching("redis"):
            answers = await pipeline.execute()
    for partition, stored in enumerate(answers):
        for name, found, mine in zip(("layout", "partitions"), stored, (LAYOUT, str(partitions)), strict=True):
            if found is not None and found.decode() != mine:
                raise differing(Keys(prefix, partition).applied, name, found.decode(), mine)


def differing(key: str, name: str, stored: str, mine: str) -> Fatal:
    """The refusal to write under a layout or a partition count that is not the stored one."""
    return Fatal(key, f"{name} {stored} is stored, this process has {mine}", "configure what is stored, or use another prefix")
