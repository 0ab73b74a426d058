"""Settings of a connection to Close."""

import os
from collections.abc import Callable

import pytest

from models.units import HOUR, MINUTE
from streams.config import CloseSettings, Connection, load
from streams.errors import Fatal
from streams.inbound.providers import PROVIDERS, provider_of

KEY = "b9260244ef33625f9b4b26a27db08758cdd39478b852c73f2d33ab042eb8abb4"
HEAD = f'[[connections]]\nname = "acme"\ntoken = "token_of_acme_0123456789"\nprovider = "close"\nsecrets = ["{KEY}"]\n'
EMAIL_KEY = f'email_key = "{KEY}"\n'


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in os.environ:
        if name.upper().startswith("LEADBEAT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def connection(tmp_path) -> Callable[[str], Connection]:
    """The only connection of a settings file."""

    def loaded(text: str) -> Connection:
        (tmp_path / "leadbeat.toml").write_text(text)
        (only,) = load(tmp_path / "leadbeat.toml").connections
        return only

    return loaded


@pytest.fixture
def mistakes(connection, tmp_path) -> Callable[[str], list[str]]:
    """What is complained about, without the file's name."""

    def told(text: str) -> list[str]:
        with pytest.raises(Fatal) as caught:
            connection(text)
        return [line.replace(f"{tmp_path / 'leadbeat.toml'}: ", "") for line in caught.value.what.split("\n  ")[1:]]

    return told


def test_close_needs_no_settings_but_its_keys(connection):
    acme = connection(HEAD + EMAIL_KEY)
    assert acme.close is None
    assert provider_of(acme) is not PROVIDERS["close"]


def test_what_is_the_organisations_own_is_a_table_below_the_connection(connection):
    close = connection(
        HEAD
        + EMAIL_KEY
        + '[connections.close]\nreps = { user_1 = "ada" }\nstages = { Warm = "mql" }\nfields = { owner = "cf_1" }\n'
        + 'outcomes = { outcome_1 = "held" }\nmeeting_kinds = { intro = "first call" }\nsignature_age = "73h"\n'
        + 'custom_activities = { actitype_1 = "message" }\n'
    ).close
    assert (close.reps, close.stages, close.fields.owner) == ({"user_1": "ada"}, {"Warm": "mql"}, "cf_1")
    assert (close.outcomes, close.meeting_kinds) == ({"outcome_1": "held"}, {"intro": "first call"})
    assert (close.custom_activities, close.signature_age) == ({"actitype_1": "message"}, 73 * HOUR)
    assert CloseSettings().signature_age == 5 * MINUTE


def test_the_email_key_may_lie_in_a_file_or_a_variable(connection, tmp_path, monkeypatch):
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.setenv("ACME_KEY", KEY)
    for source in ('email_key_file = "key"\n', 'email_key_env = "ACME_KEY"\n'):
        assert connection(HEAD + source).email_key.get_secret_value() == KEY


def test_without_an_email_key_people_could_be_found_out_so_it_is_needed(mistakes):
    (found,) = mistakes(HEAD)
    assert found.startswith("connections[0].email_key: is missing: 32 to 128 hex digits that nobody can guess")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + 'email_key = "secret"\n', "connections[0].email_key: must be 32 to 128 hex digits that nobody can guess"),
        (HEAD + 'email_key_env = "NOT_SET"\n', "connections[0].email_key: email_key_env: NOT_SET is not set"),
        (HEAD.replace(KEY, "whsec_" + "A" * 40) + EMAIL_KEY, "connections[0].secrets[0]: must be the signature_key that Close"),
        (HEAD.replace(KEY, KEY[:-1]) + EMAIL_KEY, "connections[0].secrets[0]: must be the signature_key that Close"),
        (HEAD.replace('"close"', '"fax"') + EMAIL_KEY, "connections[0].provider: input should be 'standard' or 'close'"),
        (
            HEAD.replace('"close"', '"standard"').replace(KEY, "whsec_" + "A" * 32) + "[connections.close]\n",
            'connections[0].close: is for connections with provider = "close"',
        ),
        (HEAD + EMAIL_KEY + "close = 1\n", "connections[0].close: is not a table"),
        (
            HEAD + EMAIL_KEY + "[connections.close]\noutcome = {}\n",
            "connections[0].close.outcome: is not a setting: did you mean outcomes?",
        ),
        (HEAD + EMAIL_KEY + "[connections.close]\nreps = 1\n", "connections[0].close.reps: is not a table"),
        (
            HEAD + EMAIL_KEY + '[connections.close]\nreps = { user_1 = "other" }\n',
            "connections[0].close.reps.user_1: 'other' is a name that Leadbeat gives itself: choose another",
        ),
        (
            HEAD + EMAIL_KEY + '[connections.close]\nstages = { Warm = "warm" }\n',
            "connections[0].close.stages.Warm: input should be 'subscriber', 'lead', 'mql'",
        ),
        (
            HEAD + EMAIL_KEY + '[connections.close]\nfields = { owner = "Account Owner" }\n',
            "connections[0].close.fields.owner: string should match pattern",
        ),
        (
            HEAD + EMAIL_KEY + '[connections.close]\noutcomes = { outcome_1 = "came" }\n',
            "connections[0].close.outcomes.outcome_1: input should be 'held', 'no_show' or 'cancelled'",
        ),
        (
            HEAD + EMAIL_KEY + '[connections.close]\nsignature_age = "5"\n',
            "connections[0].close.signature_age: is not a duration",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(mistakes, text, told):
    (found,) = mistakes(text)
    assert found.startswith(told)


def test_keys_are_never_shown(connection):
    acme = connection(HEAD + EMAIL_KEY)
    assert KEY not in f"{acme!r} {acme.model_dump()} {acme.model_dump_json()}"
    with pytest.raises(Fatal) as caught:
        connection(HEAD + 'email_key = "canary"\n')
    assert "canary" not in f"{caught.value!r}"
