"""How a cluster is named: its nodes, and what is the same for all of them."""

import pytest
from redis.asyncio.connection import SSLConnection

from streams.tables import connect

NODES = [("10.0.0.1", 7001), ("node-2", 6379), ("::1", 7003)]


@pytest.mark.parametrize(("scheme", "secure"), [("redis+cluster", False), ("rediss+cluster", True)])
async def test_all_nodes_are_reached_by_the_same_login_and_none_is_asked_twice(scheme, secure):
    client = connect(f"{scheme}://worker:s%40cret@10.0.0.1:7001,node-2,[::1]:7003/0")
    assert sorted((node.host, node.port) for node in client.startup_nodes) == sorted(NODES)
    for node in client.startup_nodes:
        assert (node.connection_kwargs["username"], node.connection_kwargs["password"]) == ("worker", "s@cret")
    assert issubclass(client.connection_kwargs["connection_class"], SSLConnection) is secure
    assert client.retry.get_retries() == 0
