"""A short storm: each kind of bad request for a real gateway, and what `make storm` looks at."""

import pytest
from fuzz.storm.judging import judged
from fuzz.storm.run import ALL_KINDS, RULES, faults_of, start, storm
from system import installed

REQUESTS = 3_000


@pytest.mark.timeout(600)
async def test_bad_requests_of_all_kinds_get_nowhere_and_a_good_sender_loses_nothing(
    kafka, redis_server, tmp_path, topic_prefix
):
    async with installed(kafka, redis_server, tmp_path, topic_prefix, RULES) as system:
        gateway = await start(system)
        seen, before, after = await storm(system, gateway, REQUESTS, seed=1)
        judgement = await judged(system, seen)
        assert judgement.faults == []
        assert (judgement.accepted, judgement.lost) == (0, 0)
        assert list(faults_of(gateway, before, after)) == []
    assert seen.kinds.keys() == ALL_KINDS.keys()
    assert len(ALL_KINDS) >= 40
    assert seen.requests >= REQUESTS
    assert len(seen.legitimate) >= 100
