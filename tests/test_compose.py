"""docker-compose.yml: valid for both generations of Compose, pinned, unprivileged, and in agreement with what it mounts."""

import hashlib
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import version

import pytest
import yaml
from services import CHECKOUT
from stack import COMPOSE, compose

from streams.config import load
from streams.serving.dashboards.promql import WEEKS

CONTENT = compose()
SERVICES = CONTENT["services"]
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("leadbeat:")}
ENDS = {"topics", "simulator", "leadbeat"}
"""Who has nothing to be asked whether it is healthy: jobs, and what stands for somebody else's CRM."""

each_service = pytest.mark.parametrize("name", SERVICES)


def test_docker_compose_accepts_it():
    if not shutil.which("docker-compose"):
        pytest.skip("no docker-compose on the PATH (on Debian: apt install docker-compose)")
    command = ["docker-compose", "--file", COMPOSE, "--profile", "simulator", "--profile", "commands", "config"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load(done.stdout)["services"].keys() == SERVICES.keys()


def test_it_keeps_to_what_both_generations_know():
    assert "version" not in CONTENT  # obsolete for the one; without it the other reads the Compose specification, too
    assert {key for key in CONTENT if not key.startswith("x-")} == {"services", "secrets", "networks", "volumes"}


@each_service
def test_images_are_pinned_to_a_version(name):
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+(-[a-z]+)?", SERVICES[name]["image"])


def test_our_image_has_our_version():
    assert {SERVICES[name]["image"] for name in OURS} == {f"leadbeat:{version('leadbeat')}"}
    assert {SERVICES[name]["build"] for name in OURS} == {"."}


def test_kafka_is_the_one_that_the_tests_run():
    (tested,) = re.findall(
        r"<artifactId>kafka_2.13</artifactId>\s*<version>(.*?)<", (CHECKOUT / "tests/kafka.pom.xml").read_text()
    )
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{tested}"


@each_service
def test_a_service_has_no_more_rights_than_it_needs(name):
    service = SERVICES[name]
    user, _, _ = service["user"].partition(":")
    assert int(user) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc"}


@each_service
def test_a_service_cannot_take_the_machine_for_itself(name):
    assert re.fullmatch(r"\d+[mg]", SERVICES[name]["mem_limit"])
    assert SERVICES[name]["pids_limit"] > 0
    assert SERVICES[name]["logging"]["options"].keys() >= {"max-size", "max-file"}


@each_service
def test_a_service_is_started_again_and_says_how_it_is(name):
    service = SERVICES[name]
    assert service["init"] is True
    assert service["restart"] == {"topics": "no", "leadbeat": "no", "simulator": "on-failure"}.get(name, "unless-stopped")
    assert ("healthcheck" in service) == (name not in ENDS)


@each_service
def test_a_service_waits_for_those_that_it_needs(name):
    for other, told in SERVICES[name].get("depends_on", {}).items():
        assert told["condition"] == ("service_completed_successfully" if other == "topics" else "service_healthy")


def test_only_loopback_is_published_and_the_pipeline_is_apart():
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    assert CONTENT["networks"]["pipeline"]["internal"] is True
    apart = {name for name, service in SERVICES.items() if service["networks"] == ["pipeline"]}
    assert apart == {"kafka", "redis", "topics", "leadbeat"}


def test_only_the_simulator_and_commands_have_to_be_asked_for():
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"simulator", "leadbeat"}


@each_service
def test_what_is_mounted_is_there_and_cannot_be_changed(name):
    for volume in SERVICES[name].get("volumes", ()):
        source, _, mode = (*volume.split(":"), "rw")[:3]
        if source.startswith("."):
            assert (CHECKOUT / source).exists()
            assert mode == "ro"
        else:
            assert source in CONTENT["volumes"]


def test_secrets_are_files_and_go_only_to_those_who_need_them():
    holders = {name: service["secrets"] for name, service in SERVICES.items() if "secrets" in service}
    webhooks = ["crm-token", "crm-webhook"]
    assert holders == {
        "gateway": webhooks,
        "worker": [*webhooks, "subject-key"],  # its settings name the connection, too
        "exporter": ["floor-token-hash", "prometheus-token-hash"],  # no token itself
        "leadbeat": [*webhooks, "floor-token-hash", "prometheus-token-hash", "subject-key"],  # for as long as a command runs
        "prometheus": ["prometheus-token"],
        "simulator": webhooks,
        "grafana": ["grafana-admin"],
    }
    assert all(secret["file"].startswith("./secrets/") for secret in CONTENT["secrets"].values())
    assert {"/secrets/", "/.env"} <= set((CHECKOUT / ".gitignore").read_text().splitlines())


def test_the_sample_of_the_environment_has_every_variable_with_its_default():
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE.read_text()))
    sample = dict(re.findall(r"^(\w+)=(.*)$", (CHECKOUT / ".env.example").read_text(), re.MULTILINE))
    assert sample == used


def test_the_settings_are_valid_and_those_without_connections_need_no_secret(tmp_path, monkeypatch):
    text = (CHECKOUT / "compose" / "leadbeat.toml").read_text().replace("/run/secrets", str(tmp_path))
    settings = tmp_path / "leadbeat.toml"
    settings.write_text(text)
    for name, value in SERVICES["topics"]["environment"].items():
        monkeypatch.setenv(name, value)
    assert (load(settings).connections, load(settings).api_tokens) == ((), ())
    assert {entry["rep"] for entry in tomllib.loads(text)["roster"]} == {entry.rep for entry in load(settings).roster}
    (tmp_path / "floor-token-hash").write_text("ab" * 32)
    (tmp_path / "prometheus-token-hash").write_text("cd" * 32)
    monkeypatch.delenv("LEADBEAT_API_TOKENS")
    assert SERVICES["exporter"]["environment"]["LEADBEAT_CONNECTIONS"] == "[]"
    assert {token.name: token.scopes for token in load(settings).api_tokens} == {
        "floor": ("page", "kpis", "leads"),
        "prometheus": ("metrics",),
    }
    (tmp_path / "crm-token").write_text("a" * 48)
    (tmp_path / "crm-webhook").write_text("whsec_" + "A" * 44)
    monkeypatch.delenv("LEADBEAT_CONNECTIONS")
    (tmp_path / "subject-key").write_text("ab" * 24)
    for name, value in SERVICES["worker"]["environment"].items():
        monkeypatch.setenv(name, value.replace("/run/secrets", str(tmp_path)))
    monkeypatch.setenv("LEADBEAT_CONFIG", str(settings))
    assert load(settings).worker.hashing_key() == b"\xab" * 24
    assert [connection.name for connection in load(settings).connections] == ["crm"]


def test_make_secrets_makes_what_the_settings_accept_and_leaves_what_is_there(tmp_path):
    make = ["make", "--silent", "--file", CHECKOUT / "Makefile", "secrets"]
    subprocess.run(make, cwd=tmp_path, check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {secret["file"].rpartition("/")[2] for secret in CONTENT["secrets"].values()} <= made.keys()
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    subprocess.run(make, cwd=tmp_path, check=True)
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made
    for name in ("floor-token", "prometheus-token"):
        assert len(made[name]) == len("lbt_") + 64
        assert made[f"{name}.sha256"].strip() == hashlib.sha256(made[name].encode()).hexdigest()


def test_grafana_is_provisioned_with_where_prometheus_is_and_with_the_dashboard():
    folder = CHECKOUT / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "leadbeat.yml").read_text())["datasources"]
    assert {source["type"]: source["url"] for source in sources} == {
        "prometheus": "http://prometheus:9090",
        "alertmanager": "http://alertmanager:9093",
    }
    (provider,) = yaml.safe_load((folder / "dashboards" / "leadbeat.yml").read_text())["providers"]
    mounts = dict(reversed(volume.split(":")[:2]) for volume in SERVICES["grafana"]["volumes"])
    shown = CHECKOUT / mounts[provider["options"]["path"]]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.rpartition("/")[0] == provider["options"]["path"]
    assert (shown / home.rpartition("/")[2]).exists()


def test_prometheus_asks_as_often_as_grafana_believes():
    scrapes = yaml.safe_load((CHECKOUT / "grafana" / "prometheus" / "prometheus.yml").read_text())
    source, _ = yaml.safe_load((CHECKOUT / "grafana/provisioning/datasources/leadbeat.yml").read_text())["datasources"]
    assert source["jsonData"]["timeInterval"] == scrapes["global"]["scrape_interval"]


def test_prometheus_remembers_as_long_as_the_heat_maps_look_back():
    (days,) = re.findall(r"--storage.tsdb.retention.time=(\d+)d", " ".join(SERVICES["prometheus"]["command"]))
    assert int(days) > WEEKS * 7
