"""What can be set of the gateway's spool and its limits."""

from pathlib import Path

import pytest
from mistaken import mistakes

from streams.config import Settings, load


def test_there_is_no_spool_unless_one_is_named(write, monkeypatch):
    assert Settings().gateway.spool is None
    assert load(write('gateway.spool = "/var/lib/leadbeat/spool.db"')).gateway.spool == Path("/var/lib/leadbeat/spool.db")
    monkeypatch.setenv("LEADBEAT_GATEWAY__SPOOL", "/srv/spool.db")
    assert load().gateway.spool == Path("/srv/spool.db")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('spool = "spool.db"', "gateway.spool: must be a path from the root on, such as /var/lib/leadbeat/spool.db"),
        ("spool_limit = 1000", "gateway.spool_limit: input should be greater than or equal to 33554432"),
        ("rate = 0", "gateway.rate: input should be greater than or equal to 1"),
        ("connection_rate = 0", "gateway.connection_rate: input should be greater than or equal to 1"),
    ],
)
def test_what_would_not_do_is_told(write, text, what):
    assert mistakes(write(f"[gateway]\n{text}")) == [what]
