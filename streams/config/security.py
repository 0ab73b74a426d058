"""What settings say of security that contradicts itself, and what is missing of it where all of it is required."""

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from streams.config.settings import KafkaSettings, RedisSettings, Settings
from streams.config.tls import TlsSettings
from streams.config.values import Mistake, Place

REQUIRED: Final = "while require_security is set"


def contradictions_of_kafka(settings: Settings) -> Iterator[Mistake]:
    """Who we are is told to brokers that ask for it, and to no others."""
    kafka = settings.kafka
    protocol = kafka.security_protocol
    if protocol.startswith("SASL"):
        for key in ("username", "password"):
            if not getattr(kafka, key):
                yield ("kafka", key), f"is missing: {protocol} needs it"
    elif kafka.username or kafka.password:
        yield ("kafka", "security_protocol"), f"is {protocol}, which tells nobody the username: did you mean SASL_SSL?"
    yield from _of_tls("kafka", kafka.tls, "SSL and SASL_SSL", is_used=protocol.endswith("SSL"))


def contradictions_of_redis(settings: Settings) -> Iterator[Mistake]:
    """What the URL says, and what stands beside it."""
    url = urlsplit(settings.redis.url.get_secret_value())
    if any(name.startswith("ssl_") for name in parse_qs(url.query)):
        yield ("redis", "url"), "has options of TLS in it: give them under redis.tls"
    yield from _of_tls("redis", settings.redis.tls, "URLs that begin with rediss://", is_used=url.scheme.startswith("rediss"))


def _of_tls(section: str, tls: TlsSettings, use: str, *, is_used: bool) -> Iterator[Mistake]:
    if not is_used and tls != TlsSettings():
        yield (section, "tls"), f"is for {use}"
    if (tls.certificate_file is None) != (tls.key_file is None):
        yield (section, "tls"), "certificate_file and key_file go together"


def missing(settings: Settings, open_secrets: Iterable[Place]) -> Iterator[Mistake]:
    """What `require_security` does not let pass; the places of secrets that do not come from files are among it."""
    yield from _missing_of_kafka(settings.kafka)
    yield from _missing_of_redis(settings.redis)
    for section, tls in (("kafka", settings.kafka.tls), ("redis", settings.redis.tls)):
        if not tls.check_host_name:
            yield (section, "tls", "check_host_name"), f"must be true {REQUIRED}"
    for place in open_secrets:
        yield place, f"must come from a file {REQUIRED}"


def _missing_of_kafka(kafka: KafkaSettings) -> Iterator[Mistake]:
    proven = kafka.security_protocol == "SASL_SSL" or (kafka.security_protocol == "SSL" and kafka.tls.certificate_file)
    if not proven:
        yield ("kafka", "security_protocol"), f"must be SASL_SSL, or SSL with a client certificate, {REQUIRED}"


def _missing_of_redis(redis: RedisSettings) -> Iterator[Mistake]:
    url = urlsplit(redis.url.get_secret_value())
    if not url.scheme.startswith("rediss"):
        yield ("redis", "url"), f"must begin with rediss:// {REQUIRED}"
    if not url.password and not redis.tls.certificate_file:
        yield ("redis", "url"), f"must have a password, or redis.tls a client certificate, {REQUIRED}"
