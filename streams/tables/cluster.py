"""A Redis Cluster in a single server's place: the client that finds the node of each key by itself."""

from collections.abc import Callable
from typing import Any, Final, Self
from urllib.parse import urlsplit

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry as Retries
from redis.backoff import NoBackoff

SCHEME: Final = "+cluster"
"""What makes the URL of a server that of a cluster: `redis+cluster://host:port,host:port`, with a password as there."""

USUAL_PORT: Final = 6379


def is_cluster(url: str) -> bool:
    """Whether a URL names the nodes of a cluster."""
    return urlsplit(url).scheme.endswith(SCHEME)


class _Cluster(RedisCluster):
    """Looks for its nodes with the first command, whose errors are told as those of others are."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def connect_cluster(url: str, **options: Any) -> RedisCluster:
    """A client of a cluster that repeats nothing but where a node says that another one has the key.

    One node that answers is enough to find the others. A failed one is asked for no second time, but the next command begins
    with a look at who there is.
    """
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    nodes = [urlsplit(f"//{host}") for host in hosts.split(",")]
    first = parts._replace(
        scheme=parts.scheme.removesuffix(SCHEME), netloc=f"{login}@{nodes[0].netloc}" if login else nodes[0].netloc
    )
    client = _Cluster.from_url(
        first.geturl(),
        startup_nodes=[ClusterNode(node.hostname or "", node.port or USUAL_PORT) for node in nodes[1:]],
        retry=Retries(NoBackoff(), 0),
        **options,
    )
    # Answers of a transaction are read with the keys as a further argument, which no reader takes (redis-py 8.1.0).
    client.response_callbacks = {name: _without_keys(read) for name, read in client.response_callbacks.items()}
    return client


def _without_keys(read: Callable[..., Any]) -> Callable[..., Any]:
    return lambda answer, keys=None, **options: read(answer, **options)  # noqa: ARG005
