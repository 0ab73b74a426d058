"""How servers let us in: what every client of Kafka and Redis is made with."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from streams.config import KafkaSettings, RedisSettings, TlsSettings
from streams.errors import Fatal, Retry

Security: TypeAlias = Mapping[str, Any]
"""What a client of aiokafka takes beside the brokers' addresses."""

ASK_S: Final = 5.0
"""How long a broker may take to say why."""

TRUST: Final = "let {}.tls.ca_file name the authority that has issued it, for the host that the settings name"

RIGHTS: Final = "give our user the rights that docs/operations.md lists"

OPEN: Final[Security] = MappingProxyType({})
"""Brokers that let everybody in, without TLS."""


def kafka_security(kafka: KafkaSettings) -> dict[str, Any]:
    """How brokers are to be approached. Raises Fatal if what TLS needs cannot be used."""
    options: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = tls_context("kafka.tls", kafka.tls)
    if kafka.security_protocol.startswith("SASL") and kafka.password is not None:
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.password.get_secret_value(),
        }
    return options


def redis_tls(redis: RedisSettings) -> ssl.SSLContext | None:
    """How Redis is to be approached over TLS; None: without. Raises Fatal if what TLS needs cannot be used."""
    is_tls = urlsplit(redis.url.get_secret_value()).scheme.startswith("rediss")
    return tls_context("redis.tls", redis.tls) if is_tls else None


def tls_context(where: str, tls: TlsSettings) -> ssl.SSLContext:
    """Whom we trust and who we are, from TLS 1.2 on. Raises Fatal, which names the file."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:
        raise Fatal(f"{where}.ca_file", f"{tls.ca_file}: {_why(error)}", "give certificates in PEM") from None
    context.check_hostname = tls.check_host_name
    if tls.certificate_file and tls.key_file:
        try:
            context.load_cert_chain(tls.certificate_file, tls.key_file, password="")
        except (OSError, ValueError) as error:
            what = f"{tls.certificate_file} and {tls.key_file}: {_why(error)}"
            raise Fatal(f"{where}.certificate_file", what, "give it and its key in PEM, without a password") from None
    return context


def _why(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def told(error: Exception) -> str:
    """An error, and what to do about it if it is a right that is missing."""
    return f"{error!r} ({RIGHTS})" if isinstance(error, UNAUTHORISED) else repr(error)


UNAUTHORISED: Final = (ClusterAuthorizationFailedError, GroupAuthorizationFailedError, TopicAuthorizationFailedError)
CHECK_USER: Final = "check kafka.username, kafka.password and kafka.sasl_mechanism"
CHECK_PROTOCOL: Final = "check kafka.security_protocol, and that kafka.bootstrap names the port that is meant for it"


@asynccontextmanager
async def admitted(bootstrap: str, security: Security) -> AsyncIterator[None]:
    """Raises why brokers do not let us in, where a client inside only says that it cannot connect."""
    try:
        yield
    except KafkaConnectionError:
        if why := await refusal(bootstrap, security):
            raise why from None
        raise


async def refusal(bootstrap: str, security: Security) -> Fatal | Retry | None:
    """Why brokers that are there do not let us in; None if they do, or if none is there. The client itself does not say."""
    for host, port, _ in collect_hosts(bootstrap, randomize=False):
        try:
            async with asyncio.timeout(ASK_S):
                connection = await create_conn(host, port, **security)
                try:
                    await connection.send(MetadataRequest([]))
                finally:
                    connection.close()
        except (KafkaError, OSError, TimeoutError) as error:
            if fault := _fault(f"Kafka at {host}:{port}", error, security):
                return fault
    return None


def _fault(where: str, error: Exception, security: Security) -> Fatal | Retry | None:
    user, mechanism = security.get("sasl_plain_username"), security.get("sasl_mechanism")
    fault: Fatal | Retry | None = None
    match error:
        case ssl.SSLCertVerificationError():
            fault = Fatal(where, f"its certificate is not trusted: {error.verify_message}", TRUST.format("kafka"))
        case ssl.SSLError():
            fault = Fatal(where, f"TLS cannot be agreed on: {error.reason}", CHECK_PROTOCOL)
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            fault = Fatal(where, f"it does not let {user!r} in by {mechanism}", CHECK_USER)
        case UnsupportedSaslMechanismError():
            fault = Fatal(where, f"it lets nobody in by {mechanism}", CHECK_USER)
        case IllegalSaslStateError():
            fault = Fatal(where, "it asks for no password on this port", CHECK_PROTOCOL)
        case KafkaConnectionError() | ConnectionResetError():
            fault = Retry(where, "it closes the connection at once", f"{CHECK_PROTOCOL}; it may want a client certificate")
    return fault
