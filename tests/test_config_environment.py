"""What the environment holds that is no setting of ours."""

import pytest

from streams.config import Settings, load
from streams.errors import Fatal


def test_what_kubernetes_adds_to_the_environment_is_not_ours(monkeypatch):
    for name, value in {
        "LEADBEAT_PORT": "tcp://10.0.0.1:8080",
        "LEADBEAT_REDIS_PORT_6379_TCP_ADDR": "10.0.0.2",
        "LEADBEAT_SERVICE_HOST": "10.0.0.1",
        "LEADBEAT_SERVICE_PORT_HTTP": "8080",
    }.items():
        monkeypatch.setenv(name, value)
    assert load() == Settings()
    monkeypatch.setenv("LEADBEAT_GATEWAY_PORT", "8080")
    with pytest.raises(Fatal, match="LEADBEAT_GATEWAY_PORT: is not a setting: did you mean LEADBEAT_GATEWAY__PORT"):
        load()
