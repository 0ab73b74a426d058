"""Whom `leadbeat erase` means, and what it refuses."""

import conversation
import pytest

from models.data.refs import SubjectRef
from models.events import decode_logged
from streams.config import Settings
from streams.dead.erasing import Named, _messages, subjects_of
from streams.dead_letters.marks import erasure_of
from streams.errors import Fatal
from streams.topics import partition_of

CRM = {"name": "crm", "token": "t" * 16, "secrets": ["whsec_" + "A" * 32]}
PLAIN = Settings.model_validate({"connections": [CRM]})
CLOSE = Settings().model_copy(update={"connections": (conversation.connection(),)})


def test_a_person_has_ids_and_addresses():
    named = Named("lead", ["cont_1", "cont_2"], ["Bruce <Bruce@Wayne.example>", "bruce@wayne.example"])
    assert [subject.id for subject in subjects_of(CLOSE, "acme", named)] == [
        "acme:cont_1",
        "acme:cont_2",
        *["acme:email:f035b6ea4dfd1b78b4a28279a4f7fcc9"] * 2,
    ]
    of_account = subjects_of(PLAIN, "crm", Named("account", ["a1"], []))
    assert of_account == [SubjectRef("account", "account/crm:a1")]


@pytest.mark.parametrize(
    ("connection", "ids", "addresses", "told"),
    [
        ("other", ["1"], [], "connection 'other': is not in the settings"),
        ("crm", ["1"], ["a@b.example"], "knows nobody by an address"),
        ("acme", ["1"], ["nobody"], "'nobody' is none"),
        ("acme", [], [], "needs to know whom"),
    ],
)
def test_whom_it_cannot_mean(connection, ids, addresses, told):
    both = PLAIN.model_copy(update={"connections": (*PLAIN.connections, *CLOSE.connections)})
    with pytest.raises(Fatal, match=told):
        subjects_of(both, connection, Named("lead", ids, addresses))


def test_the_events_and_the_dead_letters_are_told_and_only_the_events_name_the_id():
    mark, event = _messages(PLAIN, [SubjectRef("lead", "crm:cont_1")])
    erased = decode_logged(event.value)
    assert (erased.subject.id, event.key, event.partition) == ("crm:cont_1", b"lead:crm:cont_1", partition_of(event.key, 4))
    assert erasure_of(mark).kind == "lead"
    assert b"cont_1" not in mark.key + mark.value
