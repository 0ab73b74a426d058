"""Close: a webhook is one entry of its event log, with the object whole as it is and what it was before."""

from streams.inbound.providers.close.provider import Close

__all__ = ["Close"]
