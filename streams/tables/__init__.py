"""The seam to Redis: names of keys, shapes of rows, the server, and everything that is read from it.

Everything that is written goes through `streams.processing.checkpoint`.
"""

from streams.tables.changes import Changed, Seen, read_changes
from streams.tables.keys import BUCKETS, Keys, KpiKeys, Pane, bucket_of
from streams.tables.kpis import KpiTable, Since, decode_changes, read_kept_changes, read_kpis, read_since
from streams.tables.loading import (
    Chunks,
    Parts,
    Stands,
    Totals,
    Wanted,
    count_states,
    read_applied,
    read_due,
    read_erased,
    read_outbox,
    read_panes,
    read_parts,
    read_scores,
    read_series,
    read_states,
    read_totals,
    read_whole,
    read_whole_states,
    walk_states,
)
from streams.tables.rows import (
    Applied,
    OpenClock,
    Outgoing,
    Progress,
    Waiting,
)
from streams.tables.server import (
    Redis,
    answers,
    check_layout,
    check_server,
    connect,
    connect_to,
)
from streams.tables.waiting import OpenClocks, read_open

__all__ = [
    "BUCKETS",
    "Applied",
    "Changed",
    "Chunks",
    "Keys",
    "KpiKeys",
    "KpiTable",
    "OpenClock",
    "OpenClocks",
    "Outgoing",
    "Pane",
    "Parts",
    "Progress",
    "Redis",
    "Seen",
    "Since",
    "Stands",
    "Totals",
    "Waiting",
    "Wanted",
    "answers",
    "bucket_of",
    "check_layout",
    "check_server",
    "connect",
    "connect_to",
    "count_states",
    "decode_changes",
    "read_applied",
    "read_changes",
    "read_due",
    "read_erased",
    "read_kept_changes",
    "read_kpis",
    "read_open",
    "read_outbox",
    "read_panes",
    "read_parts",
    "read_scores",
    "read_series",
    "read_since",
    "read_states",
    "read_totals",
    "read_whole",
    "read_whole_states",
    "walk_states",
]
