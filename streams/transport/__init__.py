"""The seam to Kafka's consumer: Faust, fed with whole batches by a consumer that goes by what the owner of partitions says.

An application is a `PartitionOwner`. `make_app` builds a Faust app around it and `serve` runs that; the owner is given a
`Control` to act on the consumer.
"""

from streams.transport.app import Background, make_app, serve
from streams.transport.batch import TP, Control, LogEnds, PartitionOwner, Record, fingerprint
from streams.transport.consumer import BatchConsumer, BatchTransport
from streams.transport.watchdog import Behind, Check, Lasting, Watchdog

__all__ = [
    "TP",
    "Background",
    "BatchConsumer",
    "BatchTransport",
    "Behind",
    "Check",
    "Control",
    "Lasting",
    "LogEnds",
    "PartitionOwner",
    "Record",
    "Watchdog",
    "fingerprint",
    "make_app",
    "serve",
]
