"""An installation of Leadbeat for the doctor to look at."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from services import Kafka, Redis
from system import System, installed

RULES = 'organisation.zone = "UTC"\nroster = [{ rep = "ana", team = "north" }]\n'


@pytest.fixture
async def system(kafka: Kafka, redis_server: Redis, topic_prefix: str, tmp_path: Path) -> AsyncIterator[System]:
    """Topics of its own, an empty Redis, and no service yet."""
    async with installed(kafka, redis_server, tmp_path, topic_prefix, RULES) as system:
        yield system
