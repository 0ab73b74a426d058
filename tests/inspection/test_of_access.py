"""What the doctor says of an exporter that lets everybody ask."""

import pytest

from models.rules import Rules
from streams.config import ApiToken, ExporterSettings, Settings
from streams.inspection.findings import Level
from streams.inspection.of_settings import of_settings

TOKEN = ApiToken(name="prometheus", scopes=("metrics",), hashes=("ab" * 32,))


def warned(host: str, *tokens: ApiToken) -> list[str]:
    settings = Settings(exporter=ExporterSettings(host=host, port=9108), api_tokens=tokens)
    found = of_settings(settings, Rules())
    return [str(finding) for finding in found if finding.level is Level.WARN and finding.where == "exporter"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "leadbeat.example.com"])  # noqa: S104 - of a setting
def test_beyond_loopback_tokens_are_asked_for(host):
    (found,) = warned(host)
    assert found.startswith(f"warn  exporter: whoever reaches {host}:9108 reads all numbers, and who waits (let it ask for")
    assert warned(host, TOKEN) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "localhost"])
def test_who_is_on_the_machine_may_ask(host):
    assert warned(host) == []
