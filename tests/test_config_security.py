"""TLS, passwords and what `require_security` asks for, among the settings."""

import pytest
from mistaken import mistakes

from streams.config import load

SECURE = """
require_security = true

[kafka]
security_protocol = "SASL_SSL"
username = "leadbeat"
password_file = "kafka.password"

[redis]
url_file = "redis.url"

[worker]
subject_key_file = "subject.key"

[[connections]]
name = "crm"
token_file = "crm.token"
secret_files = ["crm.secret"]
email_key_file = "subject.key"
"""
FILES = {
    "kafka.password": "a password",
    "redis.url": "rediss://leadbeat:a-password@redis.example.com:6379/0",
    "subject.key": "ab" * 32,
    "crm.token": "token_of_the_crm_0123456789",
    "crm.secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


@pytest.fixture
def secure(write, tmp_path):
    """Writes settings that have all that is required, with something replaced."""
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "ca.pem").write_text("")

    def made(*changes: tuple[str, str]):
        text = SECURE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return write(text)

    return made


def test_with_all_that_is_required_settings_load_and_show_no_secret(secure):
    settings = load(secure())
    assert settings.kafka.password.get_secret_value() == FILES["kafka.password"]
    assert settings.redis.url.get_secret_value() == FILES["redis.url"]
    assert not any(secret in repr(settings) for secret in FILES.values())


PASSWORD, URL = 'password_file = "kafka.password"', 'url_file = "redis.url"'
PROTOCOL = 'security_protocol = "SASL_SSL"\nusername = "leadbeat"\npassword_file = "kafka.password"\n'
OF_KAFKA = "kafka.security_protocol: must be SASL_SSL, or SSL with a client certificate, while require_security is set"
OF_FILES = "must come from a file while require_security is set"
MISSING = {
    "TLS to Kafka": (('"SASL_SSL"', '"SASL_PLAINTEXT"'), OF_KAFKA),
    "who we are to Kafka": ((PROTOCOL, 'security_protocol = "SSL"\n'), OF_KAFKA),
    "both of them": ((PROTOCOL, ""), OF_KAFKA),
    "whose broker it is": (
        (PASSWORD, f"{PASSWORD}\ntls.check_host_name = false"),
        "kafka.tls.check_host_name: must be true while require_security is set",
    ),
    "TLS to Redis": ((URL, 'url_file = "plain.url"'), "redis.url: must begin with rediss:// while require_security is set"),
    "who we are to Redis": (
        (URL, 'url_file = "nobodys.url"'),
        "redis.url: must have a password, or redis.tls a client certificate, while require_security is set",
    ),
    "whose Redis it is": (
        (URL, f"{URL}\ntls.check_host_name = false"),
        "redis.tls.check_host_name: must be true while require_security is set",
    ),
    "Kafka's password out of sight": ((PASSWORD, 'password = "x"'), f"kafka.password: {OF_FILES}"),
    "Redis's out of sight": ((URL, f'url = "{FILES["redis.url"]}"'), f"redis.url: {OF_FILES}"),
    "the hashing key out of sight": (
        ('[worker]\nsubject_key_file = "subject.key"', f'[worker]\nsubject_key = "{"ab" * 32}"'),
        f"worker.subject_key: {OF_FILES}",
    ),
    "a connection's token out of sight": (
        ('token_file = "crm.token"', f'token = "{FILES["crm.token"]}"'),
        f"connections[0].token: {OF_FILES}",
    ),
    "its secrets out of sight": (
        ('secret_files = ["crm.secret"]', f'secrets = ["{FILES["crm.secret"]}"]'),
        f"connections[0].secrets: {OF_FILES}",
    ),
    "its secrets out of the environment": (
        ('secret_files = ["crm.secret"]', 'secret_envs = ["THE_SECRET"]'),
        f"connections[0].secrets: {OF_FILES}",
    ),
    "its token out of the environment": (
        ('token_file = "crm.token"', 'token_env = "THE_TOKEN"'),
        f"connections[0].token: {OF_FILES}",
    ),
    "its e-mail key out of sight": (
        ('email_key_file = "subject.key"', f'email_key = "{"ab" * 32}"'),
        f"connections[0].email_key: {OF_FILES}",
    ),
}


@pytest.mark.parametrize(("change", "mistake"), MISSING.values(), ids=MISSING)
def test_what_is_required_and_missing_is_a_mistake_and_without_being_required_none(
    secure, tmp_path, monkeypatch, change, mistake
):
    (tmp_path / "plain.url").write_text("redis://leadbeat:a-password@redis.example.com:6379/0")
    (tmp_path / "nobodys.url").write_text("rediss://redis.example.com:6379/0")
    monkeypatch.setenv("THE_SECRET", FILES["crm.secret"])
    monkeypatch.setenv("THE_TOKEN", FILES["crm.token"])
    assert mistakes(secure(change)) == [mistake]
    load(secure(change, ("require_security = true", "")))


def test_all_that_is_missing_is_told_at_once_and_from_the_environment_too(write, monkeypatch):
    monkeypatch.setenv("LEADBEAT_REDIS__URL", "redis://redis:6379/0")
    assert mistakes(write("require_security = true")) == [
        OF_KAFKA,
        "LEADBEAT_REDIS__URL: must begin with rediss:// while require_security is set",
        "LEADBEAT_REDIS__URL: must have a password, or redis.tls a client certificate, while require_security is set",
        f"LEADBEAT_REDIS__URL: {OF_FILES}",
    ]


def test_a_certificate_proves_us_as_well_as_a_password(secure, tmp_path):
    (tmp_path / "nobodys.url").write_text("rediss://redis.example.com:6379/0")
    ours = 'tls = { certificate_file = "ca.pem", key_file = "ca.pem" }\n'
    kafka = (PROTOCOL, f'security_protocol = "SSL"\n{ours}')
    settings = load(secure(kafka, (URL, f'url_file = "nobodys.url"\n{ours}')))
    assert settings.redis.tls.certificate_file == settings.kafka.tls.key_file == str(tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[kafka]\nsecurity_protocol = "SASL_SSL"',
            ["username: is missing: SASL_SSL needs it", "password: is missing"],
        ),
        (
            '[kafka]\nusername = "a"\npassword = "b"',
            ["security_protocol: is PLAINTEXT, which tells nobody the username: did you mean SASL_SSL?"],
        ),
        ("[kafka]\ntls.check_host_name = false", ["tls: is for SSL and SASL_SSL"]),
        (
            '[kafka]\nsecurity_protocol = "SSL"\ntls.key_file = "ca.pem"',
            ["tls: certificate_file and key_file go together"],
        ),
        ('[kafka]\nsecurity_protocol = "SSL"\ntls.ca_file = "nowhere.pem"', ["tls.ca_file: nowhere.pem cannot be read"]),
        ('[kafka]\nsecurity_protocol = "TLS"', ["security_protocol: input should be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or"]),
        ('[redis]\ntls.ca_file = "ca.pem"', ["tls: is for URLs that begin with rediss://"]),
        ('[redis]\nurl = "rediss://x?ssl_cert_reqs=none"', ["url: has options of TLS in it: give them under redis.tls"]),
        ('[redis]\nurl = "redis://:a[b@x:1/0"', ["url: is not a URL: write what a password has of [, ], /, ?, #, : and @ as"]),
        ('[redis]\ntls = "ca.pem"', ["tls: is not a table"]),
    ],
)
def test_what_contradicts_itself_is_a_mistake(write, tmp_path, text, expected):
    (tmp_path / "ca.pem").write_text("")
    section = text[1:6]
    found = mistakes(write(text))
    assert len(found) == len(expected)
    assert all(line.startswith(f"{section}.{what}") for line, what in zip(found, expected, strict=True)), found


def test_files_of_tls_lie_beside_the_settings(write, tmp_path, monkeypatch):
    (tmp_path / "ca.pem").write_text("")
    path = write('[kafka]\nsecurity_protocol = "SSL"\n[kafka.tls]\nca_file = "ca.pem"\n')
    monkeypatch.chdir("/")
    assert load(path).kafka.tls.ca_file == str(tmp_path / "ca.pem")


def test_an_exporter_must_ask_for_tokens_where_security_is_required(run, secure):
    code, _, err = run("exporter", "--config", secure())
    assert code == 2
    assert "api_tokens: there is none, while require_security is set (make one: `leadbeat token new`)" in err
