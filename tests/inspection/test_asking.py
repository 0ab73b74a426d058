"""What a table is asked for by."""

import pytest

from models.units import isoformat
from streams.errors import Fatal
from streams.inspection.asking import BARE, TABLES, Asked, asked
from streams.inspection.reading import READERS
from streams.tables import Keys, KpiKeys, Pane
from streams.tables.keys import present_key, rules_key

START = 1_772_452_810_000
KEYS = Keys("lb", 2, 7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("applied", Asked("applied", "")),
        ("window:1h", Asked("window", "1h")),
        ("lead:crm:4711", Asked("lead", "crm:4711")),
        ("lead:crm:a:b{c}", Asked("lead", "crm:a:b{c}")),
        ("state:lead:17", Asked("state", "lead:17")),
        (f"pane:10s:{START}", Asked("pane", f"10s:{START}")),
        (f"pane:10s:{isoformat(START)}", Asked("pane", f"10s:{START}")),
        ("pane:1d:2026-03-02T13:00:10+01:00", Asked("pane", f"1d:{START}")),
        ("kpi:now", Asked("kpi", "now")),
    ],
)
def test_a_table_goes_by_its_name(text, expected):
    assert asked(text, "lb") == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (KEYS.applied, Asked("applied", "", 2)),
        (KEYS.outbox, Asked("outbox", "", 2)),
        (KEYS.state(17), Asked("state", "lead:17", 2)),
        (KEYS.pane(Pane("10s", START)), Asked("pane", f"10s:{START}", 2, 7)),
        (KEYS.window("1h"), Asked("window", "1h", 2, 7)),
        *(
            (getattr(KEYS, name), Asked(name, "", 2, 7))
            for name in ("level", "oldest", "changed", "series", "due", "open", "parts")
        ),
        (KEYS.part("members:calls"), Asked("members", "calls", 2, 7)),
        (KpiKeys("lb").applied, Asked("kpi", "applied")),
        (KpiKeys("lb").window("today"), Asked("kpi", "today")),
        (KpiKeys("lb").changes, Asked("kpi", "changes")),
        (present_key("lb"), Asked("workers", "")),
        (rules_key("lb"), Asked("rules", "")),
    ],
)
def test_a_table_goes_by_its_key_in_redis_too(key, expected):
    assert asked(key, "lb") == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("windows", "table: 'windows' is none (`leadbeat table` lists what there is)"),
        ("", "table: '' is none (`leadbeat table` lists what there is)"),
        ("window", "table: 'window' is none (ask for window:NAME)"),
        ("kpi", "table: 'kpi' is none (ask for kpi:WINDOW or kpi:applied or kpi:changes)"),
        ("due:today", "table: 'due:today' is none (ask for due)"),
        ("lb:{x}:applied", "table: 'lb:{x}:applied' is none (`leadbeat table` lists what there is)"),
        ("lb:{²}:applied", "table: 'lb:{²}:applied' is none (`leadbeat table` lists what there is)"),
        ("lb:{1234567890}:applied", "table: 'lb:{1234567890}:applied' is none (`leadbeat table` lists what there is)"),
        ("pane:10s:²", "table: '²' is no start of a pane (give it as 2026-03-02T12:00:10Z, or in ms)"),
        ("lc:{2}:applied", "table: 'lc:{2}:applied' is not under the prefix 'lb' (name the settings file that it belongs to)"),
        ("pane:10s:soon", "table: 'soon' is no start of a pane (give it as 2026-03-02T12:00:10Z, or in ms)"),
        (
            "pane:10s:2026-03-02T12:00",
            "table: '2026-03-02T12:00' is no start of a pane (give it as 2026-03-02T12:00:10Z, or in ms)",
        ),
    ],
)
def test_what_is_no_table_is_told_with_what_there_is(text, told):
    with pytest.raises(Fatal) as caught:
        asked(text, "lb")
    assert str(caught.value) == told


def test_every_table_that_is_listed_can_be_read():
    of_all = {"lead", "kpi", "workers", "rules"}
    assert {name.partition(":")[0] for name in TABLES} == READERS.keys() | of_all
    assert {name for name in TABLES if ":" not in name} == BARE
