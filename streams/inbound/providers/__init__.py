"""The kinds of CRM that can send to us, by the name that a connection's `provider` gives."""

from collections.abc import Mapping, Sequence

from streams.config import CloseSettings, Connection
from streams.inbound.providers import standard
from streams.inbound.providers.close import Close
from streams.inbound.providers.contract import Element, Provider, Unauthentic

PROVIDERS: Mapping[str, Provider] = {"standard": standard, "close": Close(CloseSettings(), b"no connection")}
"""Each kind as it is without settings of a connection, which does for recordings: no e-mail subject of theirs is published."""


def provider_of(connection: Connection) -> Provider:
    """The provider of a connection, with the settings that it has."""
    if connection.provider == "close" and connection.email_key is not None:
        return Close(connection.close or CloseSettings(), bytes.fromhex(connection.email_key.get_secret_value()))
    return PROVIDERS[connection.provider]


def providers_of(connections: Sequence[Connection]) -> dict[str, Provider]:
    """Which provider reads the deliveries of each connection."""
    return {connection.name: provider_of(connection) for connection in connections}


__all__ = ["PROVIDERS", "Element", "Provider", "Unauthentic", "provider_of", "providers_of"]
