"""The kinds of CRM that can send to us, by the name that a connection's `provider` gives."""

from collections.abc import Mapping

from streams.inbound.providers import standard
from streams.inbound.providers.contract import Element, Provider, Unauthentic

PROVIDERS: Mapping[str, Provider] = {"standard": standard}

__all__ = ["PROVIDERS", "Element", "Provider", "Unauthentic"]
