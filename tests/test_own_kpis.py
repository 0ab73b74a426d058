"""A module of own KPIs, from the settings to the numbers; the documentation's example is the one that is tried."""

import json
import os
import re
import subprocess
import sys

import httpx
import pytest
from build import HOUR, MINUTE, NOON, lead, meeting
from services import CHECKOUT, Server, answers, free_port

from models.catalogue import FIGURES, OWN
from models.events import encode
from models.extension import RESERVED, Own
from models.rules import Rules
from streams import own_kpis
from streams.bootstrap import settings_of
from streams.cli import EXIT_REFUSED
from streams.config import load
from streams.errors import Fatal
from streams.serving.profile import metrics_of
from streams.valuation import Valuation, check_not_older, valuation_of

PAGE = (CHECKOUT / "docs" / "own_kpis.md").read_text()
EXAMPLE = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
SETTINGS = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.fixture
def folder(tmp_path):
    """A folder with the example's module and settings, and a recording: a meeting for the same hour, and one for later."""
    (tmp_path / "acme_kpis.py").write_text(EXAMPLE)
    (tmp_path / "leadbeat.toml").write_text(f"{SETTINGS}[minimum_n]\nratio = 1\n[[roster]]\nrep = 'ana'\nteam = 'north'\n")
    events = [
        lead(created_at=NOON - HOUR, owner="ana", changed_at=NOON - HOUR),
        meeting("m1", booked_at=NOON - 9 * MINUTE, scheduled_at=NOON, rep="ana", changed_at=NOON - 9 * MINUTE),
        meeting("m2", booked_at=NOON - 8 * MINUTE, scheduled_at=NOON + 2 * HOUR, rep="ana", changed_at=NOON - 8 * MINUTE),
    ]
    (tmp_path / "day.ndjson").write_bytes(b"\n".join(map(encode, events)))
    return tmp_path


@pytest.fixture
def leadbeat(folder):
    """Run the command in that folder: exit code, output, errors."""

    def run(*words, **variables):
        done = subprocess.run(
            [sys.executable, "-m", "streams.cli", *map(str, words)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def values(output, by=""):
    return {row["id"]: row["value"] for row in json.loads(output)["kpis"] if row["by"] == by and row["window"] == "24h"}


REPLAY = ("replay", "day.ndjson", "--format", "json")


def test_the_example_is_listed_and_replayed(leadbeat):
    code, listed, _ = leadbeat("kpis", "--format", "json", "--config", "leadbeat.toml")
    found = {entry["id"]: entry for entry in json.loads(listed)["kpis"]}
    assert code == 0
    assert found["meetings_on_a_whim"]["text"] == "Meetings booked for within the hour, at the booking."
    assert found["meeting_whim_ratio"]["text"] == "meetings_on_a_whim ÷ meetings_booked"
    assert found["meeting_whim_ratio"]["metrics"] == ["leadbeat_meeting_whim_ratio"]
    assert len(found) == len({figure.id for figure in FIGURES}) + 2

    code, out, _ = leadbeat(*REPLAY, "--config=leadbeat.toml", "--by", "rep")
    assert code == 0
    assert values(out, "rep").items() >= {"meetings_booked": 2, "meetings_on_a_whim": 1, "meeting_whim_ratio": 0.5}.items()


def test_it_is_tried_without_being_in_the_settings(leadbeat):
    assert values(leadbeat(*REPLAY, "--kpis", "acme_kpis")[1])["meetings_on_a_whim"] == 1
    assert values(leadbeat(*REPLAY, LEADBEAT_KPIS__MODULE="acme_kpis")[1])["meetings_on_a_whim"] == 1
    assert values(leadbeat(*REPLAY, LEADBEAT_CONFIG="leadbeat.toml")[1])["meetings_on_a_whim"] == 1
    assert "meetings_on_a_whim" not in values(leadbeat(*REPLAY)[1])


def test_every_command_refuses_a_module_with_mistakes_and_lists_them(folder, leadbeat):
    (folder / "acme_kpis.py").write_text(EXAMPLE.replace("MEASURES = (meetings_on_a_whim,)", "MEASURES = (len,)"))
    for command in ("kpis", "worker", "exporter", "gateway"):
        code, out, err = leadbeat(command, "--config", "leadbeat.toml")
        assert (code, out) == (EXIT_REFUSED, "")
        assert err.splitlines() == [
            "leadbeat: acme_kpis: 3 mistakes",
            "  MEASURES[0]: is not a measure: len, which has no decorator such as @flow()",
            "  meetings_on_a_whim: uses meetings_on_a_whim, which is not listed in MEASURES",
            "  meeting_whim_ratio: uses meetings_on_a_whim, which is not listed in MEASURES (see docs/own_kpis.md)",
        ]


def test_a_service_has_them_too(folder):
    port = free_port()
    (folder / "leadbeat.toml").write_text(f"{SETTINGS}[exporter]\nport = {port}\n")
    url = f"http://127.0.0.1:{port}"
    command = ["env", "-C", str(folder), f"PYTHONPATH={CHECKOUT}", sys.executable, "-m", "streams.cli", "exporter"]
    server = Server("exporter", [*command, "--config", "leadbeat.toml"], folder, lambda: answers(f"{url}/livez"))
    server.start()
    try:
        entries = httpx.get(f"{url}/api/v1/catalogue").json()["kpis"]
    finally:
        server.stop()
    (entry,) = (entry for entry in entries if entry["id"] == "meeting_whim_ratio")
    assert entry["board"] == ["team", "rep"]


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("beta", "", "kpis.module: beta cannot be imported: there is no beta in the working directory"),
        ("beta.gamma", "", "kpis.module: beta.gamma cannot be imported: there is no beta in the working directory"),
        ("../beta", "", "kpis.module: '../beta' is not the name of a module (write it as Python imports it"),
        ("acme_kpis", "\n\nx = y\n", "{file}:3: NameError: name 'y' is not defined (see docs/own_kpis.md)"),
        ("acme_kpis", "import beta\n", "{file}:1: ModuleNotFoundError: No module named 'beta' (see docs/own_kpis.md)"),
        ("acme_kpis", "def x(:\n", "{file}:1: invalid syntax (see docs/own_kpis.md)"),
    ],
)
def test_a_module_that_cannot_be_imported(folder, leadbeat, name, code, told):
    file = folder / "acme_kpis.py"
    file.write_text(code)
    ended, _, err = leadbeat("kpis", "--kpis", name)
    assert ended == EXIT_REFUSED
    assert told.format(file=file) in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("replay", "x", "--kpis", "acme"), "acme"),
        (("--config", "leadbeat.toml", "kpis", "--kpis=beta"), "beta"),
        (("--config", "leadbeat.toml", "kpis"), "acme_kpis"),
        (("kpis", "--config=leadbeat.toml"), "acme_kpis"),
        (("--config", "leadbeat.toml", "kpis", "--config", "other.toml"), ""),
        (("kpis", "--", "--kpis", "acme"), ""),
        (("kpis", "--kpis"), ""),
        (("replay", "--kpis", "acme", "--help"), ""),
        (("--config", "leadbeat.toml", "--version"), ""),
        ((), ""),
    ],
)
def test_the_module_that_a_command_line_asks_for(folder, monkeypatch, words, expected):
    monkeypatch.chdir(folder)
    assert own_kpis.asked_for(words) == expected


def test_the_settings_module_is_a_dotted_name(folder):
    assert load(folder / "leadbeat.toml").kpis.module == "acme_kpis"
    (folder / "leadbeat.toml").write_text('[kpis]\nmodule = "acme-kpis"\n')
    with pytest.raises(Fatal, match=r"kpis\.module"):
        load(folder / "leadbeat.toml")
    (folder / "leadbeat.toml").write_text("kpis = 3\n")
    assert own_kpis.asked_for(["--config", str(folder / "leadbeat.toml")]) == ""


def test_a_service_does_not_start_without_the_kpis_that_its_settings_name(folder):
    with pytest.raises(Fatal, match="this process knows no own KPIs, not those of acme_kpis"):
        settings_of(folder / "leadbeat.toml")
    with pytest.raises(Fatal, match="no own KPIs"):
        own_kpis.enlist("acme_kpis")
    own_kpis.enlist("")


def test_another_text_of_the_module_or_its_package_is_another_valuation(folder):
    def found(module):
        code = f"from streams import own_kpis; own_kpis.enlist({module!r}); from models.rules import Rules\n"
        code += "from streams.valuation import valuation_of; print(valuation_of(Rules()).encode())"
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        return json.loads(subprocess.check_output([sys.executable, "-c", code], cwd=folder, env=environment, text=True))

    before = found("acme_kpis")
    assert found("acme_kpis") == before
    (folder / "acme_kpis.py").write_text(EXAMPLE.replace("< HOUR", "< 2 * HOUR") + "VERSION = 4\n")
    after = found("acme_kpis")
    assert (before["own"], after["own"]) == (0, 4)
    assert len({before["digest"], after["digest"], found("")["digest"]}) == 3

    (folder / "acme").mkdir()
    (folder / "acme" / "kpis.py").write_text(EXAMPLE)
    (folder / "acme" / "helpers.py").write_text("LIMIT = 1\n")
    whole = found("acme.kpis")
    (folder / "acme" / "helpers.py").write_text("LIMIT = 2\n")
    assert found("acme.kpis")["digest"] != whole["digest"]


def test_older_own_kpis_give_way_to_newer_ones():
    assert valuation_of(Rules()) == valuation_of(Rules(), OWN)
    mine = valuation_of(Rules(), Own("acme_kpis", 3, b"code"))
    assert mine.versions[2] == 3
    check_not_older(mine, Valuation(mine.catalogue, mine.rules, "else", 2), "here")
    with pytest.raises(Fatal, match=r"own KPIs \(VERSION of their module\) version 4, this worker has 3"):
        check_not_older(mine, Valuation(mine.catalogue, mine.rules, "else", 4), "here")


def test_metrics_of_leadbeat_itself_begin_with_what_is_reserved_and_are_no_kpis():
    sources = [CHECKOUT / "streams" / "telemetry.py", *(CHECKOUT / "streams" / "serving").glob("*.py")]
    text = "\n".join(path.read_text() for path in sources)
    names = {*re.findall(r'"leadbeat_([a-z_]+)"', text), *re.findall(r'_gauge\(\s*"([a-z_]+)"', text)}
    assert len(names) > 30
    assert {name for name in names if not name.startswith(RESERVED)} == set()
    assert names & {metric.removeprefix("leadbeat_") for figure in FIGURES for metric in metrics_of(figure)} == set()
