"""Who is here: workers that share a prefix tell one another of themselves through Redis."""

from typing import NamedTuple

from streams.errors import Fatal
from streams.tables.keys import present_key
from streams.tables.server import Redis, ask, load_script, reaching, run_script


class Present(NamedTuple):
    """Somebody who is here since an instant (ms of the server's clock), and what he tells of himself."""

    since: int
    token: str
    about: str


async def say_present(redis: Redis, prefix: str, token: str, about: str, limit_ms: int) -> tuple[Present, list[Present]]:
    """Say that we are here, and who else has said so within the limit: us and the others. Raises Retry and Fatal."""
    key = present_key(prefix)
    with reaching(key):
        script = load_script("streams.tables", "present.lua")
        since, others = await run_script(redis, script, [key], [token, about, limit_ms])
    ours = Present(since, token, about)
    return ours, [Present(int(begun), name.decode(), text.decode()) for name, begun, text in others]


class Heard(NamedTuple):
    """What somebody has said of himself: since when he is here, and when he last said so (ms of the server's clock)."""

    token: str
    since: int
    seen: int
    about: str


async def read_present(redis: Redis, prefix: str) -> list[Heard]:
    """Everybody who has said that he is here, those of long ago among them. Raises Retry and Fatal."""
    key = present_key(prefix)
    with reaching(key):
        stored: dict[bytes, bytes] = await ask(redis, "HGETALL", key)
    try:
        told = {token.decode(): text.decode().split(" ", 2) for token, text in stored.items()}
        return sorted(Heard(token, int(since), int(seen), about) for token, (since, seen, about) in told.items())
    except ValueError as error:
        raise Fatal(
            key, f"is not what workers say of themselves: {error}", "find out who else writes under this prefix"
        ) from None


async def say_gone(redis: Redis, prefix: str, token: str) -> None:
    """Take it back. Raises Retry and Fatal."""
    key = present_key(prefix)
    with reaching(key):
        await ask(redis, "HDEL", key, token)
