"""The key that ids of leads are hashed with, among the settings."""

import pytest

from streams.config import Settings, load
from streams.errors import Fatal

KEY = "5a" * 32


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """The worker's settings with some lines."""
    monkeypatch.setenv("THE_KEY", KEY)
    (tmp_path / "key").write_text(f"{KEY}\n")

    def loading(line):
        path = tmp_path / "leadbeat.toml"
        path.write_text(f"[worker]\n{line}\n")
        return load(path).worker

    return loading


@pytest.mark.parametrize("line", [f'subject_key = "{KEY}"', 'subject_key_file = "key"', 'subject_key_env = "THE_KEY"'])
def test_it_may_be_given_or_lie_in_a_file_or_a_variable(loaded, line):
    worker = loaded(line)
    assert worker.hashing_key() == bytes.fromhex(KEY)
    assert KEY not in repr(worker)


def test_there_is_none_by_default():
    assert Settings().worker.hashing_key() == b""


@pytest.mark.parametrize("key", ["", "5a" * 15, "5a" * 65, "5" * 33, "no hex digits at all, but long enough"])
def test_what_could_be_guessed_is_a_mistake(loaded, key):
    with pytest.raises(Fatal, match=r"worker\.subject_key: must be 32 to 128 hex digits that nobody can guess"):
        loaded(f'subject_key = "{key}"')
