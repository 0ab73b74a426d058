"""How a cluster is named: its nodes, and what is the same for all of them; and who may do what on it."""

import nodes
import pytest
from redis.asyncio.connection import SSLConnection
from secured import PASSWORD, Authority, redis_users
from services import Missing, ask_redis, free_port

from streams.config.tls import TlsSettings
from streams.errors import Fatal, Retry
from streams.processing.checkpoint import claim_partition
from streams.security import tls_context
from streams.tables import Keys, check_server, connect, read_applied
from streams.tables.emptying import empty

NODES = [("10.0.0.1", 7001), ("node-2", 6379), ("::1", 7003)]


@pytest.mark.parametrize(("scheme", "secure"), [("redis+cluster", False), ("rediss+cluster", True)])
async def test_all_nodes_are_reached_by_the_same_login_and_none_is_asked_twice(scheme, secure):
    client = connect(f"{scheme}://worker:s%40cret@10.0.0.1:7001,node-2,[::1]:7003/0")
    assert sorted((node.host, node.port) for node in client.startup_nodes) == sorted(NODES)
    for node in client.startup_nodes:
        assert (node.connection_kwargs["username"], node.connection_kwargs["password"]) == ("worker", "s@cret")
    assert issubclass(client.connection_kwargs["connection_class"], SSLConnection) is secure
    assert client.retry.get_retries() == 0


async def test_a_cluster_of_which_no_node_answers_may_come_back():
    async with connect(f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{free_port()}") as redis:
        with pytest.raises(Retry, match="does not answer"):
            await read_applied(redis, [Keys("lb", 1)])


async def test_users_may_do_on_a_cluster_what_they_do(started):
    cluster = started(nodes.cluster)
    for port in cluster.ports:
        for user in redis_users():
            assert ask_redis(port, f"ACL SETUSER {user.removeprefix('user ')}") == b"+OK\r\n"
    keys = Keys("lb", 1)
    async with logged_in(cluster, "leadbeat-worker") as redis:
        await check_server(redis, "lb")
        held = await claim_partition(redis, keys, 4, "worker")
        with pytest.raises(Fatal, match="no permissions to run the 'scan'"):
            await empty(redis, "lb", [keys])
        assert (await read_applied(redis, [keys]))[0].token == "worker"
    async with logged_in(cluster, "leadbeat-exporter") as redis:
        assert (await read_applied(redis, [keys]))[0] == held
        with pytest.raises(Fatal, match="no permissions"):
            await claim_partition(redis, keys, 4, "exporter")


async def test_who_is_not_let_in_is_told_so_and_does_not_wait(started):
    async with logged_in(started(nodes.cluster), "nobody") as redis:
        with pytest.raises(Fatal, match="check user and password"):
            await check_server(redis, "lb")


@pytest.fixture
def secured(tmp_path):
    """A cluster with TLS, and who has issued its certificates."""
    try:
        authority = Authority.made(tmp_path / "authority")
        (tmp_path / "nodes").mkdir()
        cluster = nodes.cluster(tmp_path / "nodes", authority)
    except Missing as missing:
        pytest.skip(str(missing))
    yield cluster, authority
    cluster.kill()


async def test_every_node_is_reached_over_tls_and_none_without_its_authority(secured, tmp_path):
    cluster, authority = secured
    url = f"rediss+cluster://127.0.0.1:{cluster.secured[0]}"
    async with connect(url, tls=trusting(authority)) as redis:
        await check_server(redis, "lb")
        held = [await claim_partition(redis, Keys("lb", number), 12, "worker") for number in range(12)]
        assert await read_applied(redis, [Keys("lb", number) for number in range(12)]) == held
        asked = {node.port for node in redis.get_nodes() if any(connection.is_connected for connection in node._connections)}
    assert len(asked) >= nodes.MASTERS
    assert asked <= set(cluster.secured)
    other = Authority.made(tmp_path / "other")
    async with connect(url, tls=trusting(other)) as redis:
        with pytest.raises(Retry, match="cannot be trusted"):
            await read_applied(redis, [Keys("lb", 1)])


def trusting(authority):
    return tls_context("redis.tls", TlsSettings(ca_file=str(authority.certificate)))


def logged_in(cluster, user):
    return connect(cluster.url.replace("//", f"//{user}:{PASSWORD.format(user)}@"))
