"""Who may ask the exporter, among the settings."""

import json

from mistaken import mistakes

from streams.config import load

HASH, OTHER = "ab" * 32, "cd" * 32


def entry(**keys: object) -> str:
    told = {"name": "grafana", "scopes": ["kpis"], "hashes": [HASH]} | keys
    return "[[api_tokens]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items() if value is not None)


def test_hashes_may_be_given_or_lie_in_files_or_variables(write, tmp_path, monkeypatch):
    (tmp_path / "grafana.sha256").write_text(f"{OTHER.upper()}\n")
    monkeypatch.setenv("GRAFANA", "ef" * 32)
    (token,) = load(write(entry(hash_files=["grafana.sha256"], hash_envs=["GRAFANA"]))).api_tokens
    assert token.hashes == (HASH, OTHER, "ef" * 32)
    assert load(write(entry(hashes=None, hash_files=["grafana.sha256"]))).api_tokens[0].hashes == (OTHER,)


def test_mistakes_are_told_with_their_places_and_without_their_values(write):
    text = "".join(
        [
            entry(scopes=["kpis", "all"]),
            entry(name="no name", scopes=[]),
            entry(name="b", hashes=["lbt_a-token-by-mistake"]),
            entry(name="c", hashes=None),
            entry(name="d", hashes=None, hash_files=["nowhere"]),
        ]
    )
    found = mistakes(write(text))
    assert found == [
        "api_tokens[4].hashes: hash_files: nowhere cannot be read: No such file or directory",
        "api_tokens[0].scopes[1]: input should be 'metrics', 'kpis', 'leads' or 'page'",
        "api_tokens[1].name: string should match pattern '^[A-Za-z0-9_-]{1,64}$'",
        "api_tokens[1].scopes: is empty",
        "api_tokens[2].hashes[0]: must be the SHA-256 of a token, 64 hex digits: `leadbeat token new` makes both",
        "api_tokens[3].hashes: is missing",
    ]


def test_a_name_or_a_token_stands_for_one(write):
    text = entry() + entry(hashes=[OTHER]) + entry(name="b", hashes=[OTHER, "ef" * 32])
    assert mistakes(write(text)) == [
        "api_tokens[1].name: is the same as in api_tokens[0]",
        "api_tokens[2].hashes: one is the same as in api_tokens[1]",
    ]
