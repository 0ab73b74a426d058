"""What cannot be right is refused at the door, by the commands themselves: exit code 2, and on standard error why."""

import subprocess

import pytest
from crowd import RULES
from services import CHECKOUT
from system import START_S, command

from streams.tables.rows import LAYOUT


def refusals(config, *names):
    """What commands say on standard error, all of which must refuse; they run at the same time."""
    running = {
        name: subprocess.Popen(
            command(name, config),
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    }
    told = {}
    for name, process in running.items():
        try:
            _, told[name] = process.communicate(timeout=START_S)
        finally:
            process.kill()
        assert process.returncode == 2, f"{name}: {process.returncode} {told[name]}"
    return told


async def test_a_topic_with_another_number_of_partitions(system):
    told = refusals(system.configure(partitions=8), "gateway", "worker", "normaliser", "processor")
    for message in told.values():
        assert f"topic {system.prefix}crm.deliveries.v1" in message
        assert "4 partitions where kafka.partitions is 8" in message
        assert "Traceback" not in message


@pytest.mark.parametrize(("field", "stored", "mine"), [("layout", "99", LAYOUT), ("partitions", "8", "4")])
async def test_tables_of_another_layout_or_number_of_partitions(system, field, stored, mine):
    await system.redis.hset("lb:{2}:applied", mapping={"claim": "1", "layout": LAYOUT, "partitions": "4"} | {field: stored})
    before = await system.redis.hgetall("lb:{2}:applied")
    told = refusals(system.configure(), "processor")
    assert f"lb:{{2}}:applied: {field} {stored} is stored, this process has {mine}" in told["processor"]
    assert "Traceback" not in told["processor"]
    assert await system.redis.hgetall("lb:{2}:applied") == before
    assert await system.redis.keys("*") == [b"lb:{2}:applied"]


async def test_the_later_of_two_workers_whose_rules_differ_under_one_version(system):
    first = system.start("processor", system.configure())
    await system.loaded(first)
    before = await system.stored()
    told = refusals(system.configure(RULES.replace('"4m"', '"5m"')), "processor")["processor"]
    assert "two workers with different rules under the same rules_version 1" in told
    assert f"process {first.process.pid} " in told
    assert "raise rules_version" in told
    assert await system.stored() == before
