"""Settings: one TOML file, overridden by environment variables, checked as a whole before anything starts.

`kafka.bootstrap` of the file is `LEADBEAT_KAFKA__BOOTSTRAP` in the environment; lists are given there as JSON. Every secret may
also be read from a file (`token_file`, `secret_files`, `url_file` ...) or from an environment variable of any name
(`token_env`, `secret_envs`, `url_env` ...).
"""

from streams.config.api_tokens import ApiToken, Scope
from streams.config.connections import CloseFields, CloseSettings, Connection
from streams.config.loading import kpis_module, load, load_rules
from streams.config.rotated import SecretFiles
from streams.config.settings import (
    ExporterSettings,
    GatewaySettings,
    KafkaSettings,
    MeetingSettings,
    MinimumN,
    Organisation,
    Profile,
    RedisSettings,
    RetentionSettings,
    RosterEntry,
    Settings,
    SlaEntry,
)
from streams.config.tls import TlsSettings
from streams.config.values import parse_duration

__all__ = [
    "ApiToken",
    "CloseFields",
    "CloseSettings",
    "Connection",
    "ExporterSettings",
    "GatewaySettings",
    "KafkaSettings",
    "MeetingSettings",
    "MinimumN",
    "Organisation",
    "Profile",
    "RedisSettings",
    "RetentionSettings",
    "RosterEntry",
    "Scope",
    "SecretFiles",
    "Settings",
    "SlaEntry",
    "TlsSettings",
    "kpis_module",
    "load",
    "load_rules",
    "parse_duration",
]
