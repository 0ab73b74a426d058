"""A whole Leadbeat on servers of its own, for commands that are no tests."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import services
from system import System, installed


@asynccontextmanager
async def standing(rules: str) -> AsyncIterator[System]:
    """An installation without services yet, on a Kafka and a Redis that end with it."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, each) for each in ("kafka", "redis", "leadbeat")]
        for folder in folders:
            folder.mkdir()
        kafka = services.kafka(folders[0])
        try:
            redis = services.redis(folders[1])
            try:
                async with installed(kafka, redis, folders[2], "", rules) as system:
                    yield system
            finally:
                redis.server.stop()
        finally:
            kafka.server.stop()
