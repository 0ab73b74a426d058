import json
import os
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from socket import AF_INET6

import pytest
from aiokafka.conn import collect_hosts
from hypothesis import given
from hypothesis import strategies as st
from mistaken import mistakes

from models.calendars import Shift, WorkingHours
from models.rules import Membership, Rules, SlaPolicy
from models.units import DAY, HOUR, MINUTE, SECOND, millis
from streams.config import KafkaSettings, Settings, load, parse_duration
from streams.config.loading import WORKTIME
from streams.errors import Fatal

EXAMPLE = Path(__file__).parents[1] / "docs" / "leadbeat.example.toml"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "token_of_acme_0123456789"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in os.environ:
        if name.upper().startswith("LEADBEAT_"):
            monkeypatch.delenv(name)


def connection(**changes: object) -> str:
    keys = {"name": "acme", "token": TOKEN, "secrets": [SECRET]} | changes
    return "[[connections]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items() if value is not None)


def test_nothing_given_is_the_defaults():
    assert load() == Settings()
    assert load().rules() == Rules()


def test_the_example_loads_and_shows_each_key_with_its_default():
    example = load(EXAMPLE)
    lists = {"connections", "api_tokens", "roster", "sla", "deal_stages", "targets", "leaderboards", "quotas", "plans"}
    examples = {*lists, "money", *WORKTIME}
    assert example.model_dump(exclude=examples) == Settings().model_dump(exclude=examples)
    text = EXAMPLE.read_text()
    models = [Settings, *(type(getattr(Settings(), name)) for name in Settings.model_fields)]
    keys = {key for model in models if hasattr(model, "model_fields") for key in model.model_fields}
    assert {key for key in keys if key not in text} == set()


def test_the_file_is_named_by_argument_or_by_environment(write, monkeypatch):
    path = write("checkpoint_ms = 250")
    assert load(path).checkpoint_ms == 250
    monkeypatch.setenv("LEADBEAT_CONFIG", str(path))
    assert load().checkpoint_ms == 250


def test_the_environment_wins_over_the_file_key_by_key(write, monkeypatch):
    path = write('[kafka]\nbootstrap = "file:9092"\npartitions = 8\n')
    monkeypatch.setenv("LEADBEAT_KAFKA__BOOTSTRAP", "environment:9092")
    monkeypatch.setenv("LEADBEAT_PROFILE", '{"max_series": 7}')
    monkeypatch.setenv("LEADBEAT_PROFILE__BOARD_WINDOWS", '["1h"]')
    monkeypatch.setenv("LEADBEAT_ROSTER", '[{"rep": "ada", "team": "north", "from": "2026-01-01"}]')
    settings = load(path)
    assert (settings.kafka.bootstrap, settings.kafka.partitions) == ("environment:9092", 8)
    assert (settings.profile.max_series, settings.profile.board_windows) == (7, ("1h",))
    assert settings.roster[0].since == date(2026, 1, 1)


def test_an_empty_variable_is_not_given(monkeypatch):
    monkeypatch.setenv("LEADBEAT_KAFKA__BOOTSTRAP", "")
    assert load().kafka.bootstrap == Settings().kafka.bootstrap


def test_settings_made_by_hand_read_nothing(monkeypatch):
    monkeypatch.setenv("LEADBEAT_CHECKPOINT_MS", "100")
    assert Settings().checkpoint_ms == 500


@given(st.integers(0, 999_999), st.sampled_from([("s", SECOND), ("m", MINUTE), ("h", HOUR), ("d", DAY)]))
def test_durations_are_a_number_and_a_unit(amount, unit):
    assert parse_duration(f"{amount}{unit[0]}") == amount * unit[1]


@pytest.mark.parametrize(
    "text", ["", "5", "m", "-5m", "5 m", "1.5h", "1h30m", "5M", "5m\n", "٣m", "5w", "9999999d", 5, None, True]
)
def test_what_is_not_a_duration_is_refused_with_what_to_write(text):
    with pytest.raises(ValueError, match=r"such as 90s, 5m, 2h or 1d|is not a unit"):
        parse_duration(text)


@pytest.mark.parametrize("unit", ["bm", "bh", "bd"])
def test_business_time_is_refused_where_wall_time_is_meant(unit):
    with pytest.raises(ValueError, match=r"business time .* for SLA targets only"):
        parse_duration(f"5{unit}")


def test_rules_are_what_the_sections_say(write):
    path = write(
        """
        rules_version = 3
        lead_sources = ["web"]
        roster = [{rep = "ada", team = "north", from = 2026-03-29}, {rep = "ada", from = 2026-06-01T09:00:00}]
        [[sla]]
        target = "5m"
        [[sla]]
        target = "2h"
        team = "north"
        lead_source = "web"
        segment = "smb"
        from = 2026-01-01T00:00:00Z
        [organisation]
        zone = "Europe/Berlin"
        [meetings]
        grace = "30m"
        unmarked = "held"
        """
    )
    local = timezone(timedelta(hours=1)), timezone(timedelta(hours=2))
    assert load(path).rules() == Rules(
        version=3,
        zone="Europe/Berlin",
        roster=(
            Membership("ada", millis(datetime(2026, 3, 29, tzinfo=local[0])), "north"),
            Membership("ada", millis(datetime(2026, 6, 1, 9, tzinfo=local[1]))),
        ),
        sla=(
            SlaPolicy(5 * MINUTE),
            SlaPolicy(2 * HOUR, millis(datetime.fromisoformat("2026-01-01T00:00:00Z")), "north", "web", "smb"),
        ),
        lead_sources=("web",),
        meeting_grace_ms=30 * MINUTE,
        unmarked_meetings_count_as_held=True,
    )


def test_a_midnight_that_does_not_exist_is_when_the_day_begins():
    settings = Settings.model_validate(
        {"organisation": {"zone": "America/Sao_Paulo"}, "roster": [{"rep": "ada", "team": "a", "from": "2018-11-04"}]}
    )
    assert settings.rules().roster[0].valid_from == millis(datetime.fromisoformat("2018-11-04T01:00:00-02:00"))


def working_hours(*entries: str, zone: str = "UTC") -> WorkingHours:
    return Settings.model_validate({"organisation": {"zone": zone, "working_hours": entries}}).working_hours()


def test_working_hours_are_days_and_local_times():
    assert Settings().working_hours() == working_hours("Mon-Fri 09:00-18:00")
    assert working_hours("Thu-Fri 08:30-24:00", "Sat 00:00-06:00", zone="Europe/Berlin") == WorkingHours(
        "Europe/Berlin", (Shift(3, 510, 1440), Shift(4, 510, 1440), Shift(5, 0, 360))
    )
    assert working_hours().shifts == ()


@pytest.mark.parametrize(
    ("text", "todo"),
    [
        *((text, "as Mon-Fri 09:00-18:00") for text in ("9-18", "Mo 09:00-18:00", "Mon 9:00-18:00", "Mon-Fri", "")),
        *((text, "as Mon-Fri 09:00-18:00") for text in ("Mon 09:00-24:01", "Mon 08:60-18:00", "Mon 08:00-25:00")),
        *((text, "end a night at 24:00") for text in ("Mon 22:00-06:00", "Mon 09:00-09:00", "Sat-Mon 09:00-18:00")),
    ],
)
def test_what_are_no_working_hours_is_refused_with_what_to_write(text, todo):
    with pytest.raises(ValueError, match=todo):
        working_hours(text)


def test_no_sla_at_all_can_be_chosen(write):
    assert load(write("sla = []")).rules().sla == ()


def test_all_mistakes_are_told_at_once_each_with_its_place(write, monkeypatch):
    monkeypatch.setenv("LEADBEAT_GATEWAY__PORT", "70000")
    monkeypatch.setenv("LEADBEAT_ROSTER", "not json")
    monkeypatch.setenv("LEADBEAT_KAFKA_GROUP", "x")
    path = write(
        'ticks = "sun"\nboard = 1\n'
        '[kafka]\npartitions = "four"\nboostrap = "x"\n'
        '[organisation]\nzone = "Europe/Berln"\n'
        '[[sla]]\ntarget = "2bx"\n[[sla]]\ntarget = "0s"\n[[sla]]\nfrom = "soon"\n' + connection(token="short", secrets=[])
    )
    found = mistakes(path)
    places = [line.partition(": ")[0] for line in found]
    assert sorted(places) == sorted(
        [
            "LEADBEAT_GATEWAY__PORT",
            "LEADBEAT_KAFKA_GROUP",
            "LEADBEAT_ROSTER",
            "board",
            "connections[0].secrets",
            "connections[0].token",
            "kafka.boostrap",
            "kafka.partitions",
            "organisation.zone",
            "sla[0].target",
            "sla[1].target",
            "sla[2].from",
            "sla[2].target",
            "ticks",
        ]
    )
    assert "kafka.boostrap: is not a setting: did you mean bootstrap?" in found
    assert "LEADBEAT_KAFKA_GROUP: is not a setting: did you mean LEADBEAT_KAFKA__GROUP?" in found
    assert "sla[2].target: is missing" in found
    assert "LEADBEAT_ROSTER: is not a list" in found


def test_contradictions_are_told_beside_mistakes_elsewhere(write):
    path = write(
        "checkpoint_ms = 0\n"
        'lead_sources = ["web", "other"]\n'
        'roster = [{rep = "ada", team = "a", from = 2026-01-01}, {rep = "ada", from = 2026-01-01T00:00:00Z}]\n'
        + connection()
        + connection()
    )
    assert sorted(mistakes(path)) == [
        "checkpoint_ms: input should be greater than or equal to 10",
        "connections[1].name: is the same as in connections[0]",
        "connections[1].token: is the same as in connections[0]",
        "lead_sources[1]: 'other' is a name that Leadbeat gives itself: choose another",
        "roster[1].from: is the same as in roster[0]",
    ]


def test_an_sla_for_nobody_is_a_mistake(write):
    path = write('sla = [{target = "5m", team = "nroth", lead_source = "wbe"}, {target = "5m", team = "unassigned"}]')
    assert mistakes(path) == [
        "sla[0].team: 'nroth' is not a team of the roster",
        "sla[0].lead_source: 'wbe' is not among lead_sources",
    ]


def test_what_depends_on_a_broken_section_is_not_held_against_another(write):
    path = write('roster = [{rep = "ada", team = 1}]\nsla = [{target = "5m", team = "north"}]')
    assert mistakes(path) == ["roster[0].team: is not text"]


@pytest.mark.parametrize("since", ['"soon"', "1969-12-31", "2100-01-01", "09:00:00", "1"])
def test_a_from_that_is_no_date_of_ours_is_a_mistake(write, since):
    (found,) = mistakes(write(f'roster = [{{rep = "ada", from = {since}}}]'))
    assert found.startswith("roster[0].from: is ")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("kafka = 1", "kafka: is not a table"),
        ("connections = 1", "connections: is not a list"),
        ("connections = [1]", "connections[0]: is not a table"),
        ("redis = 1", "redis: is not a table"),
        ('_env_file = "x"', "_env_file: is not a setting: did you mean key_file?"),
        ('"a\\nb" = 1', r"'a\nb': is not a setting"),
        ("log_format = 1", "log_format: input should be 'json' or 'console'"),
    ],
)
def test_a_section_of_the_wrong_shape_is_a_mistake(write, text, what):
    assert mistakes(write(text)) == [what]


def test_a_file_that_is_missing_or_not_toml_is_told_by_its_name(write, tmp_path):
    with pytest.raises(Fatal, match=r"nowhere\.toml: cannot be read: No such file"):
        load(tmp_path / "nowhere.toml")
    with pytest.raises(Fatal, match=r"leadbeat\.toml: is not TOML: .*line 1"):
        load(write("x = ]"))
    with pytest.raises(Fatal, match=r"leadbeat\.toml: is not TOML: .*recursion"):
        load(write("x = " + "[" * 5_000))


@pytest.mark.parametrize(
    ("given", "brokers"),
    [
        ("localhost:9092", "localhost:9092"),
        (" kafka-1:9092,\tkafka_2.example.org:19092 ", "kafka-1:9092,kafka_2.example.org:19092"),
        ("[::1]:9092,[2001:db8::10]:65535", "[::1]:9092,[2001:db8::10]:65535"),
    ],
)
def test_brokers_are_a_list_of_hosts_with_their_ports(given, brokers):
    bootstrap = KafkaSettings(bootstrap=given).bootstrap
    assert bootstrap == brokers
    hosts = collect_hosts(bootstrap, randomize=False)
    assert [f"[{host}]:{port}" if family == AF_INET6 else f"{host}:{port}" for host, port, family in hosts] == brokers.split(
        ","
    )


@pytest.mark.parametrize(
    "given",
    [
        *(
            "localhost",
            "localhost:",
            ":9092",
            "localhost:0",
            "localhost:65536",
            "localhost:port",
            "localhost:\N{FULLWIDTH DIGIT NINE}",
            "a b:9092",
        ),
        *("a:9092,", "a:9092,b", "a:9092;b:9092", "::1:9092", "[::1]", "[1::2::3]:9092", "[kafka]:9092", "[fe80::1%lo]:9092"),
        *("kafka://a:9092", "user@a:9092", ","),
    ],
)
def test_a_broker_without_its_port_is_refused_with_what_to_write(write, given):
    (found,) = mistakes(write(f'[kafka]\nbootstrap = "{given}"\n'))
    assert found.startswith("kafka.bootstrap: must be host:port (kafka-1:9092), several with commas between")


class TestSecrets:
    def test_come_as_values(self, write):
        (acme,) = load(write(connection())).connections
        assert acme.token.get_secret_value() == TOKEN
        assert [secret.get_secret_value() for secret in acme.secrets] == [SECRET]

    def test_come_from_files_beside_the_settings_and_from_variables(self, write, tmp_path, monkeypatch):
        (tmp_path / "acme.token").write_text(f"{TOKEN}\n")
        (tmp_path / "acme.secret").write_text(f"{SECRET}\n")
        monkeypatch.setenv("ACME_OLD_SECRET", SECRET[:-4] + "AAAA")
        monkeypatch.setenv("REDIS_URL", "redis://:hunter2@redis:6379/0")
        (acme,) = load(
            write(
                connection(token=None, secrets=None, token_file="acme.token", secret_files=["acme.secret"])
                + 'secret_envs = ["ACME_OLD_SECRET"]\n[redis]\nurl_env = "REDIS_URL"\n'
            )
        ).connections
        assert acme.token.get_secret_value() == TOKEN
        assert [secret.get_secret_value() for secret in acme.secrets] == [SECRET, SECRET[:-4] + "AAAA"]

    def test_of_redis_can_lie_in_a_file_that_the_environment_names(self, tmp_path, monkeypatch):
        (tmp_path / "url").write_text("redis://:hunter2@redis:6379/0\n")
        monkeypatch.setenv("LEADBEAT_REDIS__URL_FILE", str(tmp_path / "url"))
        assert load().redis.url.get_secret_value() == "redis://:hunter2@redis:6379/0"

    def test_that_cannot_be_had_are_mistakes(self, write, tmp_path):
        (tmp_path / "binary").write_bytes(b"\xff")
        path = write(
            connection(token=None, secrets=None, token_file="nowhere", secret_files=["binary"])
            + connection(name="b", token=None, token_env="NOT_SET", secret_files="x")
            + connection(name="c", token="c" * 16, token_file="x", secret_envs=[1])
            + connection(name="d", token=None)
        )
        assert sorted(mistakes(path)) == [
            "connections[0].secrets: secret_files: binary does not hold text",
            "connections[0].token: token_file: nowhere cannot be read: No such file or directory",
            "connections[1].secrets: secret_files is not a list",
            "connections[1].token: token_env: NOT_SET is not set",
            "connections[2].secrets: secret_envs: is not a name",
            "connections[2].token: is given more than once: token, token_file",
            "connections[2].token: token_file: x cannot be read: No such file or directory",
            "connections[3].token: is missing",
        ]

    @pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all, but long enough", "é" * 40])
    def test_that_are_too_weak_to_sign_with_are_mistakes(self, write, secret):
        (found,) = mistakes(write(connection(secrets=[SECRET, secret])))
        assert found.startswith("connections[0].secrets[1]: must be whsec_ and the base64 of at least 24 random bytes")

    @pytest.mark.parametrize("token", ["short", "with/a/slash/0123456789", "with space 0123456789", "é" * 20])
    def test_in_urls_are_long_and_plain(self, write, token):
        (found,) = mistakes(write(connection(token=token)))
        assert found.startswith("connections[0].token: must be 16 to 128 characters")

    def test_are_never_shown(self, write):
        canary = "canary"
        settings = load(write(connection(token=f"{canary}_0123456789") + f'[redis]\nurl = "redis://:{canary}@x"\n'))
        assert canary not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
        wrong = write(connection(token=f"{canary} ", secrets=[f"whsec_{canary}"], name=f"{canary}!") + f"tokne = '{canary}'\n")
        with pytest.raises(Fatal) as caught:
            load(wrong)
        assert canary not in f"{caught.value} {caught.value!r}"
        assert caught.value.__context__ is None
