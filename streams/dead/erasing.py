"""Erasing people whose CRM sends no `erased`, or who are known by an address alone."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aiokafka.errors import KafkaError

from models.data.refs import SubjectRef
from models.events import Erased, encode
from models.state.subjects import LEAD, Kind, identity
from models.units import Millis, moment
from streams.config import Settings
from streams.dead_letters import DEAD_PARTITION
from streams.dead_letters.marks import erasure_by
from streams.errors import Fatal, Retry
from streams.hashing import Hashing
from streams.inbound.identity import email_subject
from streams.producer import LastingProducer, Message
from streams.security import kafka_security
from streams.topics import Topics, partition_of, record_key


class Named(NamedTuple):
    """Whom a CRM knows by these ids, which are all of one kind, and e-mail addresses."""

    kind: Kind
    ids: Sequence[str]
    addresses: Sequence[str]


def subjects_of(settings: Settings, connection: str, named: Named) -> list[SubjectRef]:
    """The subjects that are meant, by their ids across the whole system. Raises Fatal if there are none, or one cannot be."""
    known = next((each for each in settings.connections if each.name == connection), None)
    if known is None:
        raise Fatal(f"connection {connection!r}", "is not in the settings", "name one of [[connections]]")
    if named.addresses and known.email_key is None:
        raise Fatal("--address", f"connection {connection!r} knows nobody by an address", "name them by their ids")
    key = b"" if known.email_key is None else bytes.fromhex(known.email_key.get_secret_value())
    people = [_by_address(each, key) for each in named.addresses]
    if not named.ids and not people:
        raise Fatal("leadbeat erase", "needs to know whom", "name ids, or --address")
    mentioned = [*((named.kind, name) for name in named.ids), *((LEAD, name) for name in people)]
    return [SubjectRef(kind, identity(kind, connection, name)) for kind, name in mentioned]


def _by_address(address: str, key: bytes) -> str:
    subject = email_subject(address, key)
    if subject is None:
        raise Fatal("--address", f"{address!r} is none", "write it as name@example.org")
    return subject


async def erase(settings: Settings, subjects: Sequence[SubjectRef]) -> None:
    """Return when Kafka has it that they are erased: the workers do the rest. Raises Retry."""
    async with LastingProducer(
        settings.kafka.bootstrap, "leadbeat-erase", **kafka_security(settings.kafka)
    ).running() as lasting:
        try:
            await lasting.send_all(list(_messages(settings, subjects)))
        except KafkaError as error:
            raise Retry("Kafka", f"did not take it: {error!r}", "erase them again") from error


def _messages(settings: Settings, subjects: Sequence[SubjectRef]) -> Iterator[Message]:
    topics, count = Topics(settings.kafka.topic_prefix), settings.kafka.partitions
    hashing, now = Hashing(settings.worker.hashing_key()), Millis(time.time_ns() // 1_000_000)
    for number, subject in enumerate(subjects):
        event = Erased(id=f"erase-{now}-{number}", timestamp=moment(now), subject=subject, received_at=now)
        key, erasure = record_key(subject.id), erasure_by(hashing, subject.kind, subject.id)
        yield Message(topics.dead, DEAD_PARTITION, erasure.key, erasure.record)
        yield Message(topics.events, partition_of(key, count), key, encode(event))
