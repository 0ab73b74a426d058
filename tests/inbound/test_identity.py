"""People known by an e-mail address: one subject however the address is written, and nothing that tells it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.inbound.identity import address_in, email_subject, links

KEY = bytes(range(16))
BRUCE = "email:f035b6ea4dfd1b78b4a28279a4f7fcc9"


@pytest.mark.parametrize(
    "text",
    ["bruce@wayne.example", " Bruce@WAYNE.example\n", "Bruce Wayne <bruce@wayne.example>", '"Wayne, B." <BRUCE@wayne.example>'],
)
def test_an_address_is_one_subject_however_it_is_written(text):
    assert address_in(text) == "bruce@wayne.example"
    assert email_subject(text, KEY) == BRUCE


@pytest.mark.parametrize("text", ["", "bruce", "@wayne.example", "bruce@", "<>", "Bruce Wayne <>"])
def test_what_is_no_address_is_nobody(text):
    assert email_subject(text, KEY) is None


def test_another_key_makes_another_subject():
    assert email_subject("bruce@wayne.example", KEY) != email_subject("bruce@wayne.example", KEY[:-1])


@given(st.text() | st.emails() | st.tuples(st.text(), st.text()).map("@".join))
def test_any_text_is_a_subject_that_does_not_tell_it_or_nobody(text):
    subject = email_subject(text, KEY)
    assert subject is None or re.fullmatch(r"email:[0-9a-f]{32}", subject)


@given(st.emails())
def test_an_address_in_capitals_is_the_same(address):
    assert email_subject(address.upper(), KEY) == email_subject(f"Somebody <{address.lower()}>", KEY) is not None


def test_a_record_links_the_addresses_that_it_carries_and_lets_go_of_the_others():
    told = list(links("cont_1", ["bruce@wayne.example", "b@x.example", "none"], ["BRUCE@wayne.example", "old@x.example"], KEY))
    assert told == [
        *sorted([(BRUCE, "cont_1"), (email_subject("b@x.example", KEY), "cont_1")]),
        (email_subject("old@x.example", KEY), None),
    ]
