"""Being let in by Kafka and Redis, and what is said where one is not."""

import gc
import re
import ssl

import pytest
from secured import Authority
from services import free_port

from streams import topics
from streams.config import KafkaSettings, RedisSettings, TlsSettings
from streams.errors import Fatal, Retry
from streams.producer import LastingProducer
from streams.security import kafka_security, redis_tls, refusal, tls_context
from streams.tables import connect_to
from streams.tables.server import ask, check_server, reaching

pytestmark = [
    pytest.mark.usefixtures("leftovers"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="session")
def stranger(tmp_path_factory) -> Authority:
    """An authority that nobody trusts."""
    return Authority.made(tmp_path_factory.mktemp("stranger") / "authority")


async def let_in(settings: KafkaSettings) -> None:
    """Raise what `ensure` raises where nothing is to be made."""
    await topics.ensure(settings.bootstrap, 4, prefix="of-nobody.", create=False, security=kafka_security(settings))


@pytest.fixture(scope="module")
def leftovers():
    """Connections over TLS are not closed yet when a test's loop ends: the collector of garbage warns of them."""
    yield
    gc.collect()


class TestKafka:
    @pytest.mark.parametrize(
        ("changes", "what", "todo"),
        [
            (
                {"password": "wrong"},
                "it does not let 'leadbeat-gateway' in by SCRAM-SHA-512",
                "check kafka.username",
            ),
            ({"username": "nobody"}, "it does not let 'nobody' in by SCRAM-SHA-512", "check kafka.username"),
            (
                {"sasl_mechanism": "PLAIN"},
                "it lets nobody in by PLAIN",
                "check kafka.username",
            ),
            ({"tls": {}}, "its certificate is not trusted: ", "let kafka.tls.ca_file name the authority that has issued it"),
            (
                {"security_protocol": "SASL_PLAINTEXT", "tls": {}},
                "it closes the connection at once",
                "check kafka.security_protocol",
            ),
            (
                {"security_protocol": "PLAINTEXT", "tls": {}},
                "it closes the connection at once",
                "check kafka.security_protocol",
            ),
        ],
        ids=["wrong password", "unknown user", "wrong mechanism", "unknown authority", "no TLS", "neither"],
    )
    async def test_who_is_not_let_in_is_told_why_and_what_to_do(self, secured_kafka, changes, what, todo):
        settings = KafkaSettings(**secured_kafka.settings("leadbeat-gateway", **changes))
        fault = await refusal(settings.bootstrap, kafka_security(settings))
        assert fault is not None
        assert (fault.where, fault.what[: len(what)]) == (f"Kafka at {settings.bootstrap}", what)
        assert fault.todo.startswith(todo)
        assert not re.search(r"wrong|0123456789", str(fault))

    async def test_a_broker_without_tls_cannot_be_taken_for_one_with(self, secured_kafka):
        settings = KafkaSettings(**secured_kafka.settings("leadbeat-gateway", bootstrap=secured_kafka.bootstrap))
        fault = await refusal(settings.bootstrap, kafka_security(settings))
        assert "closes the connection at once" in str(fault)

    async def test_a_certificate_is_for_its_host(self, secured_kafka):
        port = secured_kafka.secured.rpartition(":")[2]
        settings = KafkaSettings(**secured_kafka.settings("leadbeat-gateway", bootstrap=f"localhost:{port}"))
        fault = await refusal(settings.bootstrap, kafka_security(settings))
        assert "certificate is not valid for 'localhost'" in str(fault)
        unchecked = settings.model_copy(update={"tls": settings.tls.model_copy(update={"check_host_name": False})})
        assert await refusal(unchecked.bootstrap, kafka_security(unchecked)) is None

    async def test_who_is_let_in_or_finds_nobody_there_is_refused_nothing(self, secured_kafka):
        settings = KafkaSettings(**secured_kafka.settings("leadbeat-gateway"))
        assert await refusal(settings.bootstrap, kafka_security(settings)) is None
        assert await refusal(f"127.0.0.1:{free_port()}", kafka_security(settings)) is None

    async def test_a_start_ends_at_once_where_trying_again_is_of_no_use(self, secured_kafka):
        with pytest.raises(Fatal, match="does not let 'leadbeat-gateway' in"):
            await let_in(KafkaSettings(**secured_kafka.settings("leadbeat-gateway", password="wrong")))

    async def test_a_start_goes_on_trying_where_it_may_pass(self, secured_kafka, monkeypatch):
        monkeypatch.setattr(topics, "PATIENCE_S", 1.0)
        plain = secured_kafka.settings("leadbeat-gateway", security_protocol="PLAINTEXT", tls={})
        with pytest.raises(Retry, match=r"closes the connection at once, tried for 1 s \(check kafka.security_protocol"):
            await let_in(KafkaSettings(**plain))

    async def test_a_user_without_rights_is_told_where_they_are_listed(self, secured_kafka):
        with pytest.raises(Fatal, match=r"topic of-nobody.* our user may not see it \(give our user the rights"):
            await let_in(KafkaSettings(**secured_kafka.settings("leadbeat-nobody")))

    async def test_a_certificate_of_ours_lets_us_in_and_another_does_not(self, secured_kafka, stranger):
        trusted = {"ca_file": str(secured_kafka.authority.certificate)}

        def by(authority: Authority, name: str) -> KafkaSettings:
            certificate, key = authority.issue(name)
            told = {
                "ca_file": str(secured_kafka.authority.certificate),
                "certificate_file": str(certificate),
                "key_file": str(key),
            }
            return KafkaSettings(bootstrap=secured_kafka.mutual, security_protocol="SSL", tls=told)

        ours, theirs = by(secured_kafka.authority, "super"), by(stranger, "super")
        assert await refusal(ours.bootstrap, kafka_security(ours)) is None
        assert isinstance(await refusal(theirs.bootstrap, kafka_security(theirs)), Fatal | Retry)
        without = KafkaSettings(bootstrap=secured_kafka.mutual, security_protocol="SSL", tls=trusted)
        fault = await refusal(without.bootstrap, kafka_security(without))
        assert "client certificate" in str(fault)
        async with LastingProducer(ours.bootstrap, "test", **kafka_security(ours)).running() as producer:
            assert (await producer.current()).client.cluster.brokers()


class TestRedis:
    async def test_who_proves_who_he_is_is_let_in(self, secured_redis):
        async with connect_to(RedisSettings(**secured_redis.settings("leadbeat-worker"))) as redis:
            assert await ask(redis, "PING")
            await check_server(redis, "lb")

    async def test_a_wrong_password_is_told(self, secured_redis):
        async with connect_to(RedisSettings(**secured_redis.settings("leadbeat-worker", "wrong"))) as redis:
            with pytest.raises(Fatal, match=r"invalid username-password pair.* \(check user and password in redis.url"):
                await check_server(redis, "lb")

    @pytest.mark.parametrize("trusted", ["of the machine", "another"])
    async def test_a_server_that_is_not_trusted_is_told_from_one_that_is_away(self, secured_redis, stranger, trusted):
        tls = {} if trusted == "of the machine" else {"ca_file": str(stranger.certificate)}
        async with connect_to(RedisSettings(**secured_redis.settings("leadbeat-worker", tls=tls))) as redis:
            with pytest.raises(Retry, match=r"cannot be trusted: .*certificate.* \(let redis.tls.ca_file name the authority"):
                await check_server(redis, "lb")

    async def test_with_an_authority_of_ours_those_of_the_machine_are_not_trusted(self, secured_redis, stranger, monkeypatch):
        """So that whoever gets a certificate from any of them is not taken for our server."""
        monkeypatch.setenv("SSL_CERT_FILE", str(secured_redis.authority.certificate))
        async with connect_to(RedisSettings(**secured_redis.settings("leadbeat-worker", tls={}))) as redis:
            assert await ask(redis, "PING")
        tls = {"ca_file": str(stranger.certificate)}
        async with connect_to(RedisSettings(**secured_redis.settings("leadbeat-worker", tls=tls))) as redis:
            with pytest.raises(Retry, match="cannot be trusted"), reaching("redis"):
                await ask(redis, "PING")

    @pytest.mark.parametrize(
        "command",
        [
            ("SET", "lb:x", "1"),
            ("HSET", "lb:x", "f", "1"),
            ("UNLINK", "lb:x"),
            ("EVAL", "return redis.call('HSET', KEYS[1], 'f', '1')", "1", "lb:x"),
            ("HGET", "other:x", "f"),
            ("FLUSHALL",),
            ("CONFIG", "GET", "*"),
            ("KEYS", "*"),
            ("ACL", "LIST"),
        ],
        ids=lambda command: command[0],
    )
    async def test_an_exporter_reads_and_does_nothing_else(self, secured_redis, command):
        await refused_command(secured_redis, "leadbeat-exporter", command)

    @pytest.mark.parametrize(
        "command",
        [
            ("HSET", "other:x", "f", "1"),
            ("EVAL", "return redis.call('HSET', KEYS[1], 'f', '1')", "1", "other:x"),
            ("FLUSHALL",),
            ("FLUSHDB",),
            ("CONFIG", "SET", "dir", "/tmp"),  # noqa: S108 - what an attacker would
            ("KEYS", "*"),
            ("SHUTDOWN",),
            ("REPLICAOF", "127.0.0.1", "1"),
            ("SCRIPT", "FLUSH"),
            ("CLIENT", "KILL", "TYPE", "normal"),
            ("PUBLISH", "x", "y"),
            ("ACL", "SETUSER", "x"),
        ],
        ids=lambda command: " ".join(command[:2]),
    )
    async def test_a_worker_does_nothing_that_is_dangerous_or_not_its_own(self, secured_redis, command):
        await refused_command(secured_redis, "leadbeat-worker", command)


async def refused_command(secured_redis, user: str, command: tuple[str, ...]) -> None:
    async with connect_to(RedisSettings(**secured_redis.settings(user))) as redis:
        assert await ask(redis, "HGET", "lb:x", "f") is None
        with pytest.raises(Fatal, match=r"(?i)permission|noperm"), reaching("redis"):
            await ask(redis, *command)


class TestContexts:
    def test_the_newest_protocols_are_spoken_and_certificates_are_asked_for(self):
        context = tls_context("kafka.tls", TlsSettings())
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2

    def test_redis_is_approached_as_its_url_says(self):
        assert redis_tls(RedisSettings(url="redis://x")) is None
        assert redis_tls(RedisSettings(url="rediss://x")) is not None

    def test_without_settings_kafka_is_open(self):
        assert kafka_security(KafkaSettings()) == {"security_protocol": "PLAINTEXT"}

    def test_what_is_no_certificate_is_told_by_its_name(self, tmp_path, stranger):
        (tmp_path / "no.pem").write_text("not a certificate")
        wrong, (certificate, _) = str(tmp_path / "no.pem"), stranger.issue("one")
        with pytest.raises(Fatal, match=rf"redis.tls.ca_file: {re.escape(wrong)}: .* \(give certificates in PEM\)"):
            tls_context("redis.tls", TlsSettings(ca_file=wrong))
        with pytest.raises(Fatal, match=r"redis.tls.certificate_file: .*no.pem"):
            tls_context("redis.tls", TlsSettings(certificate_file=str(certificate), key_file=wrong))
        _, other = stranger.issue("two")
        with pytest.raises(Fatal, match=r"KEY_VALUES_MISMATCH .*give it and its key in PEM, without a password"):
            tls_context("redis.tls", TlsSettings(certificate_file=str(certificate), key_file=str(other)))
