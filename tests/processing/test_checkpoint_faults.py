"""A checkpoint is written whole and once, whatever happens to the server and on the way to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from services import until
from stored import FURTHER, PROGRESS, WRITES, applied, committed, snapshot

from streams.errors import Fatal, Retry
from streams.processing.checkpoint import Outcome, claim_partition, commit, commit_until_definite
from streams.processing.cut import Checkpoint, cut_checkpoint
from streams.tables import Applied, Redis, connect

pytestmark = pytest.mark.redis


@pytest.fixture
def first(keys, held) -> Checkpoint[Applied]:
    return cut_checkpoint(keys, held, WRITES, PROGRESS)


async def not_taken(redis: Redis, checkpoint: Checkpoint[Applied], reason: str) -> None:
    """The checkpoint is put off and nothing is changed."""
    before = await snapshot(redis)
    with pytest.raises(Retry, match=reason):
        await commit(redis, checkpoint)
    assert await snapshot(redis) == before


class TestServerThatTakesNoWrites:
    async def test_a_full_one_refuses_the_whole_and_takes_it_when_there_is_room(self, redis, keys, first):
        held = await committed(redis, first)
        further = cut_checkpoint(keys, held, FURTHER, PROGRESS)

        await redis.config_set("maxmemory", 1)
        await not_taken(redis, further, "OOM")

        await redis.config_set("maxmemory", 0)
        assert await committed(redis, further) == await applied(redis, keys)

    async def test_a_replica_refuses_the_whole(self, redis, first):
        await redis.replicaof("127.0.0.1", 1)
        try:
            await not_taken(redis, first, "READONLY")
        finally:
            await redis.replicaof("NO", "ONE")
        await committed(redis, first)

    async def test_one_that_cannot_save_refuses_the_whole(self, redis, first):
        in_the_way = Path((await redis.config_get("dir"))["dir"]) / "dump.rdb"
        in_the_way.mkdir()
        await redis.config_set("save", "3600 1")
        try:
            await _saved(redis, "err")
            await not_taken(redis, first, "MISCONF")
        finally:
            in_the_way.rmdir()
            await _saved(redis, "ok")
            await redis.config_set("save", "")
        await committed(redis, first)

    async def test_a_key_that_another_script_holds_up_is_waited_for(self, redis, first, running):
        await redis.config_set("lua-time-limit", 1)
        async with connect(running.url, timeout_s=20) as other:
            endless = asyncio.create_task(other.eval("while true do end", 0))
            try:
                await until(lambda: _is_busy(redis), 10, "the script blocks the server")
                with pytest.raises(Retry, match=r"BUSY|busy"):
                    await commit(redis, first)
            finally:
                await redis.script_kill()
                with suppress(Exception):
                    await endless
                await redis.config_set("lua-time-limit", 5000)
        await committed(redis, first)

    async def test_a_user_without_rights_is_fatal(self, redis, first, running):
        await redis.execute_command("ACL", "SETUSER", "reader", "on", ">pass", "~*", "+@read")
        try:
            async with connect(running.url.replace("redis://", "redis://reader:pass@")) as client:
                with pytest.raises(Fatal, match="permission"):
                    await commit(client, first)
            async with connect(running.url.replace("redis://", "redis://reader:guess@")) as client:
                with pytest.raises(Fatal, match="password"):
                    await commit(client, first)
        finally:
            await redis.acl_deluser("reader")


async def _saved(redis: Redis, status: str) -> None:
    async def has_status() -> bool:
        info = await redis.info("persistence")
        if not info["rdb_bgsave_in_progress"] and info["rdb_last_bgsave_status"] != status:
            await redis.bgsave()
        return info["rdb_last_bgsave_status"] == status

    await until(has_status, 20, f"the last save is {status}")


async def _is_busy(redis: Redis) -> bool:
    try:
        await redis.ping()
    except Exception as error:  # noqa: BLE001 # whatever class the client makes of it
        return "BUSY" in str(error) or "busy" in str(error)
    return False


class Proxy:
    """Stands between a client and Redis and loses answers to scripts: it closes the connection instead, or keeps it silent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.scripts = 0
        self.closing = 0
        self.silent = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async with asyncio.TaskGroup() as group:
            connections = []
            server = await asyncio.start_server(
                lambda reader, writer: connections.append(group.create_task(self._serve(reader, writer))), "127.0.0.1", 0
            )
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
            server.close()
            for connection in connections:
                connection.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", self._port)
        asked = asyncio.create_task(self._forward_requests(reader, requests))
        try:
            while data := await answers.read(65536):
                if not self._loses(data):
                    writer.write(data)
                elif self.closing:
                    self.closing -= 1
                    break
                else:
                    self.silent -= 1
        finally:
            asked.cancel()
            writer.close()
            requests.close()

    def _loses(self, data: bytes) -> bool:
        return bool(self.closing or self.silent) and data.startswith(b"*2\r\n")  # what our script answers

    async def _forward_requests(self, reader: asyncio.StreamReader, requests: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.scripts += data.count(b"EVALSHA")
            requests.write(data)


@pytest.fixture
async def proxy(running) -> Proxy:
    return Proxy(running.port)


@pytest.fixture
async def far(proxy, first) -> AsyncIterator[Redis]:
    """A client that goes through the proxy and waits 0.3 s for an answer."""
    async with proxy.serving() as url, connect(url, timeout_s=0.3) as client:
        yield client


class TestLostAnswer:
    async def test_a_connection_closed_before_the_answer_is_told_and_not_tried_again_behind_our_back(
        self, far, proxy, redis, first
    ):
        proxy.closing = 1

        with pytest.raises(Retry, match="does not answer"):
            await commit(far, first)

        assert proxy.scripts == 1
        assert (await commit(far, first)).outcome == Outcome.DUP
        assert proxy.scripts == 2

    async def test_an_answer_that_does_not_come_is_given_up(self, far, proxy, first):
        proxy.silent = 1

        with pytest.raises(Retry, match="does not answer"):
            await commit(far, first)

        assert (await commit(far, first)).outcome == Outcome.DUP

    async def test_it_is_sent_until_the_answer_arrives(self, far, proxy, redis, keys, first):
        proxy.closing = 2
        proxy.silent = 1
        faults: list[Retry] = []

        answer = await commit_until_definite(far, first, faults.append)

        assert (answer.outcome, len(faults)) == (Outcome.DUP, 3)
        assert await applied(redis, keys) == first.then

    async def test_cancelled_while_it_waits_it_leaves_no_answer_to_the_next_command(self, far, proxy, redis, keys, first):
        proxy.silent = 1
        sending = asyncio.create_task(commit_until_definite(far, first))
        await until(lambda: not proxy.silent, 5, "the answer is lost")

        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending

        assert sending.cancelled()
        assert await far.echo("still in step") == b"still in step"
        assert await applied(far, keys) == first.then


async def test_a_server_that_is_killed_and_comes_back_has_it_once(keys, redis_factory):
    redis_server = redis_factory(append_only=True)
    faults: list[Retry] = []

    def bring_back(fault: Retry) -> None:
        faults.append(fault)
        if len(faults) == 2:
            redis_server.server.start()

    async with connect(redis_server.url) as redis:
        first = cut_checkpoint(keys, await claim_partition(redis, keys, 4, "mine"), WRITES, PROGRESS)
        held = await committed(redis, first)
        redis_server.server.kill()

        again = await commit_until_definite(redis, first, bring_back)

        assert (again.outcome, len(faults)) == (Outcome.DUP, 2)
        await committed(redis, cut_checkpoint(keys, held, FURTHER, PROGRESS))
