"""A dead letter on a terminal: whole, with the place marked, and nothing but text."""

import json

import pytest
from histories import NOON
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidEventError
from streams.dead.showing import MOST_SHOWN, laid_out, lines
from streams.dead_letters import DeadLetter, Origin, dead_letter

ORIGIN = Origin("crm.deliveries.v1", 3, 17, "acme", NOON, {"webhook-id": "msg_1"}, 2)
EVENT = {"id": "1", "data": {"at": "soon", "lines": [{"quantity": 1}, {"quantity": "\x1b[2Jmany"}]}}


def letter(body: bytes, where: str = "$.data.at", what: str = "Invalid RFC3339 encoded datetime") -> DeadLetter:
    return dead_letter(InvalidEventError(where, what, "see the event schema"), body, ORIGIN)


def marked(body: bytes, where: str) -> str | None:
    """The line of the place, without its margin."""
    text, line = laid_out(body, where)
    return None if line is None else text.split("\n")[line].strip().rstrip(",")


def test_it_says_why_where_what_to_do_and_what_is_in_it():
    kept = letter(json.dumps(EVENT).encode())
    assert list(lines(kept, "Europe/Berlin")) == [
        f"id         {kept.id}",
        "connection acme",
        "received   2026-03-02 13:00:00.000+01:00",
        "came in    crm.deliveries.v1[3]@17, element 2",
        "where      $.data.at",
        "why        Invalid RFC3339 encoded datetime",
        "to do      see the event schema",
        "body       94 bytes, which may hold personal data",
        "  {",
        '    "id": "1",',
        '    "data": {',
        '→     "at": "soon",',
        '      "lines": [',
        "        {",
        '          "quantity": 1',
        "        },",
        "        {",
        '          "quantity": "\\u001b[2Jmany"',
        "        }",
        "      ]",
        "    }",
        "  }",
    ]


def test_of_one_that_was_read_when_it_was_sent_again_it_says_so():
    read = DeadLetter("crm.deliveries.v1", 3, 17, "acme", NOON, reason="was wrong", where="$", resent_at=NOON)
    *_, last = lines(read, "UTC")
    assert last == "sent again 2026-03-02 12:00:00.000+00:00, and read: its body is not kept any longer"


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("$.data.at", '"at": "soon"'),
        ("$.data.lines[1].quantity", '"quantity": "\\u001b[2Jmany"'),
        ("$.data.lines[7]", '"lines": ['),
        ("$.data.missing.further", '"data": {'),
        ("$.data.lines[...]", '"lines": ['),
        ("$", None),
        ("crm.deliveries.v1[3]@17", None),
    ],
)
def test_the_place_is_marked_as_far_as_the_path_leads(where, line):
    assert marked(json.dumps(EVENT).encode(), where) == line


def test_what_is_no_json_is_shown_as_it_came():
    assert laid_out(b"hello\nworld", "$") == ("hello\nworld", None)
    assert laid_out(b"\xff\xfe", "$") == ("\\xff\\xfe", None)


def test_of_a_long_one_a_terminal_is_given_the_beginning():
    *_, last = lines(letter(b"x" * (MOST_SHOWN + 5)), "UTC")
    assert last == "… and 5 characters more: --json has all"


paths = st.lists(st.sampled_from(["a", "b", "0", "[0]", "[1]", "c.d"]), max_size=4).map(lambda steps: ".".join(["$", *steps]))
values = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc0"), inner)
)


@given(st.binary() | values.map(json.dumps).map(str.encode), paths | st.text())
def test_no_body_steers_a_terminal(body, where):
    text = "\n".join(lines(letter(body, where, where), "UTC"))
    assert not set(text) & set(map(chr, [*range(10), *range(11, 32), *range(0x7F, 0xA0), 0x202E, 0x2066]))
    text.encode()


@given(values, paths)
def test_what_is_laid_out_is_what_came(value, where):
    text, _ = laid_out(json.dumps(value).encode(), where)
    assert json.loads(text) == value
