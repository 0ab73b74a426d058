"""The Redis server: how it is reached, what it must be like, and what its errors mean."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha1
from importlib.resources import files
from ssl import SSLContext, SSLError
from typing import Any, Final, TypeAlias, cast

import hiredis
from redis import asyncio, exceptions
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import AbstractConnection, Connection
from redis.asyncio.retry import Retry as Retries
from redis.backoff import NoBackoff

from models.errors import UNREADABLE
from streams.config import RedisSettings
from streams.errors import Fatal, Retry
from streams.security import TRUST, redis_tls
from streams.tables.cluster import connect_cluster, is_cluster
from streams.tables.keys import Keys
from streams.tables.rows import LAYOUT

Redis: TypeAlias = asyncio.Redis
"""The client, named here for all that only pass it on; that of a cluster is used as one."""

OLDEST_VERSION: Final = (6, 2)
"""Streams are trimmed by id, and scripts are replicated by their effects, from here on."""

_PASSING: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ClusterDownError,
    exceptions.RedisClusterException,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.TryAgainError,
    OSError,
)
_PASSING_CODES: Final = ("BUSY", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "UNBLOCKED")
LET_IN: Final = "check user and password in redis.url, and the user's rights: docs/operations.md lists them"
COME_TO: Final = "check redis.url, and that a Redis runs there that this machine can reach"
QUIETER: Final = "ask again when the system is less busy"
LATER: Final = "ask again in a moment, as services do by themselves"
_REFUSING: Final = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)


def connect_to(settings: RedisSettings, *, timeout_s: float = 5.0) -> Redis:
    """`connect` to the server that the settings name, as they say. Raises Fatal if what TLS needs cannot be used."""
    return connect(settings.url.get_secret_value(), timeout_s=timeout_s, tls=redis_tls(settings))


def connect(url: str, *, timeout_s: float = 5.0, tls: SSLContext | None = None) -> Redis:
    """A client that answers bytes and repeats nothing by itself.

    What is sent again, and when, is decided where the effect of a lost answer is known: a write that is repeated behind our
    back would be taken for two. `timeout_s` holds for connecting and for each answer, `tls` for URLs that begin with rediss.
    """
    options: dict[str, Any] = {
        "decode_responses": False,
        "protocol": 2,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
    }
    if is_cluster(url):
        cluster = connect_cluster(url, **options)
        kind: Any = _ours(cluster.connection_kwargs.get("connection_class", Connection), tls)
        cluster.connection_kwargs["connection_class"] = kind
        for node in cluster.startup_nodes:
            node.connection_class = kind
        return cast("Redis", cluster)
    client = Redis.from_url(url, retry=Retries(NoBackoff(), 0), **options)
    pool = client.connection_pool
    pool.connection_class = _ours(pool.connection_class, tls)
    return client


def _ours(connection: type[AbstractConnection], tls: SSLContext | None) -> type[AbstractConnection]:
    """A kind of connection that packs its commands in C, as the client's blocking ones do, and trusts whom we trust.

    In Python packing takes as long as the server takes to carry out the largest commands. Of itself the client would trust
    the machine's authorities, too, whatever it is given.
    """

    def pack_command(_: AbstractConnection, *args: str | bytes | int) -> list[bytes]:
        first, *rest = args
        words = first.split() if isinstance(first, (str, bytes)) else [first]
        return [hiredis.pack_command((*words, *rest))]

    def trusting(self: Any, *arguments: Any, **options: Any) -> None:
        connection.__init__(self, *arguments, **options)
        self.ssl_context.context = tls

    more = {"__init__": trusting} if tls else {}
    return type(connection.__name__, (connection,), {"pack_command": pack_command, **more})


@contextmanager
def reaching(where: str) -> Iterator[None]:
    """Turns what the client raises inside into Retry (it may pass by itself) or Fatal (somebody must act).

    Fatal is also what is raised by reading an answer that is not what this version writes.
    """
    try:
        yield
    except (*_REFUSING, *_PASSING) as error:
        causes = list(_causes(error))
        if any(isinstance(cause, _REFUSING) for cause in causes):
            raise Fatal(where, str(error), LET_IN) from error
        if any(isinstance(cause, SSLError) for cause in causes):
            raise Retry(where, f"Redis cannot be trusted: {error}", TRUST.format("redis")) from error
        raise Retry(where, f"Redis does not answer: {error}", COME_TO) from error
    except exceptions.ResponseError as error:
        if str(error).startswith(_PASSING_CODES):
            raise Retry(where, str(error), LATER) from error
        raise Fatal(where, str(error), "find out who else writes under this prefix") from error
    except exceptions.RedisError as error:
        raise Fatal(where, repr(error)) from error
    except UNREADABLE as error:
        what = f"holds what this version does not write: {error!r}"
        raise Fatal(where, what, "find out who else writes under this prefix") from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that has led to it: a cluster's client wraps what its nodes say."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


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
    for info in await read_infos(redis):
        for fault in server_faults(info):
            raise fault
    with reaching("redis"):
        failures = await run_script(redis, load_script("streams.tables", "probe.lua"), [Keys(prefix, 0).part("probe")], [])
    for failure in failures:
        text = failure.decode()
        if not _is_about_rights(text):
            raise Retry("redis", text, LATER)
        raise Fatal("redis", f"its user may not write: {text}", LET_IN)


async def read_infos(redis: Redis) -> list[dict[str, Any]]:
    """What the server says of itself, or each master of a cluster. Raises Retry and Fatal."""
    with reaching("redis"):
        if _of_cluster(redis):
            return list((await redis.info(target_nodes=RedisCluster.PRIMARIES)).values())
        return [await redis.info()]


async def leave_idle_connections(redis: Redis) -> None:
    """Have what is asked next go over new connections: a master that has become a replica keeps its old ones."""
    if _of_cluster(redis):
        await redis.aclose()
    else:
        await redis.connection_pool.disconnect(inuse_connections=False)


def _of_cluster(redis: Any) -> bool:
    return isinstance(redis, RedisCluster)


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
