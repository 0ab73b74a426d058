"""The command line: what each command prints, and how it refuses."""

import json
import subprocess
import sys
import tomllib

import pytest
from build import HOUR, MINUTE, NOON, call, lead
from services import CHECKOUT
from typer.testing import CliRunner

from models.catalogue import FIGURES
from models.events import encode, schema
from models.units import isoformat
from streams import bootstrap, cli, commands
from streams.config import Settings, load
from streams.errors import Fatal, Retry
from streams.local import demo


@pytest.fixture
def recording(tmp_path):
    """A lead that was called after two minutes, one that waits, and a line that is no event."""
    events = [
        lead(created_at=NOON - HOUR, owner="ana", changed_at=NOON - HOUR),
        call("c1", NOON - HOUR + 2 * MINUTE, rep="ana", changed_at=NOON - HOUR + 2 * MINUTE),
        lead(of="lead-2", created_at=NOON - MINUTE, owner="ana", changed_at=NOON - MINUTE),
    ]
    file = tmp_path / "day.ndjson"
    file.write_bytes(b"\n".join([*map(encode, events), b"not JSON"]))
    return file


@pytest.fixture
def config(tmp_path):
    """Settings with a roster of one, in Berlin."""
    file = tmp_path / "leadbeat.toml"
    file.write_text('[organisation]\nzone = "Europe/Berlin"\n[minimum_n]\nratio = 1\n[[roster]]\nrep = "ana"\nteam = "north"\n')
    return file


def kpis_of(output):
    return {(row["id"], row["window"], row["slice"]): row["value"] for row in json.loads(output)["kpis"]}


def test_the_page_of_kpis_is_fresh(run):
    code, page, _ = run("kpis", "--format", "markdown")
    assert code == 0
    assert (CHECKOUT / "docs" / "kpis.md").read_text() == page, "leadbeat kpis --format markdown > docs/kpis.md"
    for figure in FIGURES:
        assert f"| `{figure.id}`" in page


def test_kpis_as_a_table_and_as_json(run):
    _, table, _ = run("kpis")
    assert "sla_warnings sla_percent=80" in table
    assert "responses_within_sla ÷ clocks_ended" in table
    assert table.count("rank kpi=…") == 1
    _, text, _ = run("kpis", "--format", "json")
    assert len(json.loads(text)["kpis"]) == len(FIGURES)


def test_a_floor_is_simulated_into_a_connection_that_there_is(run, config):
    code, _, err = run("simulate", "--post", "http://127.0.0.1:1", "--connection", "crm", "--config", config)
    assert code == cli.EXIT_REFUSED
    assert err.startswith("leadbeat: connection 'crm': is not in the settings")


def test_the_schema_of_events(run):
    code, text, _ = run("schema")
    assert (code, json.loads(text)) == (0, json.loads(json.dumps(schema())))


def test_replay_reads_the_settings_that_are_named_before_or_behind_the_command(run, recording, config):
    options = ("replay", recording, "--by", "rep", "--kpi", "calls", "--window", "24h", "--format", "json")
    expected = {("calls", "24h", "ana"): 1}
    assert kpis_of(run(*options, "--config", config)[1]) == expected
    assert kpis_of(run("--config", config, *options)[1]) == expected
    assert kpis_of(run(*options)[1]) == {("calls", "24h", "other"): 1}


def test_replay_tells_bad_lines_and_goes_on(run, recording, config):
    code, out, err = run("replay", recording, "--config", config, "--kpi", "response_within_sla_ratio")
    assert code == 0
    assert "100.0%" in out
    mistake, count = err.splitlines()
    assert mistake.startswith("line 4: $: JSON is malformed")
    assert count == "could not be read and left out: 1"


def test_replay_tells_only_the_first_of_many_bad_lines(run, recording, config):
    recording.write_bytes(recording.read_bytes() + b"\n{" * 30)
    _, _, err = run("replay", recording, "--config", config)
    assert len(err.splitlines()) == commands.MISTAKES_TOLD + 1
    assert err.endswith("could not be read and left out: 31, the first 20 of them above\n")


def test_replay_tells_whose_rules_it_goes_by_unless_they_are_named(run, recording, config, monkeypatch):
    def told(*options):
        return [line for line in run("replay", recording, *options)[2].splitlines() if "rules" in line]

    assert told() == ["without --config: the default rules (zone UTC, SLA 5m00s, no roster)"]
    assert told("--config", config) == []
    monkeypatch.setenv("LEADBEAT_CONFIG", str(config))
    assert told() == ["without --config: rules of the environment (zone Europe/Berlin, SLA 5m00s, reps: 1)"]


def test_replay_tells_how_many_events_came_later(run, recording, config):
    options = ("replay", recording, "--config", config)
    assert "2 later events left out\n" in run(*options, "--as-of", isoformat(NOON - HOUR))[2]
    assert "1 later event left out\n" in run(*options, "--as-of", isoformat(NOON - 2 * MINUTE))[2]
    assert "later" not in run(*options, "--as-of", isoformat(NOON - HOUR), "--known-later")[2]


def test_replay_as_of_an_instant_or_a_local_time(run, recording, config):
    options = ("replay", recording, "--config", config, "--kpi", "leads_awaiting_response", "--format", "json")
    at_eleven = json.loads(run(*options, "--as-of", isoformat(NOON - HOUR))[1])
    assert (at_eleven["clock"], at_eleven["later"]) == (NOON - HOUR, 2)
    assert json.loads(run(*options, "--as-of", "2026-03-02T12:00")[1])["clock"] == NOON - HOUR
    assert json.loads(run(*options, "--as-of", "2026-03-02T12:00", "--known-later")[1])["later"] == 0


def test_replay_as_csv_from_standard_input(recording):
    command = [sys.executable, "-m", "streams.cli", "replay", "-", "--format", "csv", "--kpi", "calls", "--window", "today"]
    done = subprocess.run(command, input=recording.read_bytes(), capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[1:] == ["calls,,today,,,1.0,1,,ok,"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("replay", "nowhere.ndjson"), "leadbeat: nowhere.ndjson: cannot be read: No such file or directory\n"),
        (("replay", "x", "--kpi", "phone_calls"), "leadbeat: kpi: 'phone_calls' is not known (one of lead_response_time, "),
        (("replay", "x", "--by", "weather"), "leadbeat: by: 'weather' is not known (one of whole, rep, team, "),
        (("replay", "x", "--by", "rep,team"), "leadbeat: by: nothing is sliced by 'rep,team' (one of rep, team, "),
        (("replay", "x", "--as-of", "noon"), "leadbeat: --as-of: 'noon' is not a time (write 2026-03-02T12:00:00Z, "),
        (("exporter", "--config", "nowhere.toml"), "leadbeat: nowhere.toml: cannot be read: No such file or directory"),
        (("demo", "--for", "5 minutes"), "leadbeat: --for: '5 minutes' is not a duration"),
        (("simulate", "--out", "nowhere/day"), "leadbeat: nowhere/day: cannot be written: No such file or directory\n"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(run, arguments, told):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(told)
    assert "Traceback" not in err


def test_simulate_gives_what_replay_takes(run, tmp_path):
    day, rules = tmp_path / "day.ndjson", tmp_path / "rules.toml"
    assert run("simulate", "--out", day, "--rules", rules, "--until", isoformat(NOON))[0] == 0
    code, out, err = run("replay", day, "--config", rules, "--format", "json", "--by", "team", "--kpi", "touches")
    assert (code, err) == (0, "")
    assert sum(value for (_, window, _), value in kpis_of(out).items() if window == "7d") > 100
    assert run("simulate", "--until", isoformat(NOON))[1] == day.read_text()


@pytest.mark.parametrize(
    ("arguments", "function", "expected"),
    [
        (["exporter"], "run_exporter", (None,)),
        (["gateway", "--config", "a.toml"], "run_gateway", ("a.toml",)),
        (["--config", "a.toml", "worker"], "run_worker", ("a.toml", None)),
        (["worker", "--part", "normaliser"], "run_worker", (None, "normaliser")),
    ],
)
def test_services_are_started_by_the_bootstrap(run, monkeypatch, arguments, function, expected):
    given = []
    monkeypatch.setattr(bootstrap, function, lambda *arguments: given.append(arguments))
    assert run(*arguments)[0] == 0
    assert [tuple(None if each is None else str(each) for each in call) for call in given] == [expected]


def test_a_gateway_that_nobody_can_send_to_does_not_start(run, config):
    code, out, err = run("gateway", "--config", config)
    assert (code, out) == (2, "")
    assert err.startswith("leadbeat: connections: there is none, so every delivery would be answered with 404 (add one ")


def test_the_connection_that_it_proposes_is_one_with_which_it_starts(tmp_path, monkeypatch):
    started = []
    example = tmp_path / "leadbeat.toml"
    example.write_text("\n".join(line for line in bootstrap.CONNECT.splitlines() if line.startswith("  ")))
    (tmp_path / "crm-webhook.secret").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    monkeypatch.setattr(bootstrap, "settings_of", load)
    monkeypatch.setattr(bootstrap.gateway, "main", lambda settings, *_: started.append(settings))
    bootstrap.run_gateway(example)
    assert [connection.name for settings in started for connection in settings.connections] == ["crm"]


def test_the_version_is_that_of_the_package(run):
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert run("--version") == (0, f"leadbeat {project['version']}\n", "")


@pytest.mark.parametrize(("equal", "code"), [(True, 0), (False, 1)])
def test_a_demo_that_finds_a_difference_fails(run, monkeypatch, equal, code):
    given = []

    async def pretend(options, console):
        given.append(options)
        return equal

    monkeypatch.setattr(demo, "run", pretend)
    assert run("demo", "--for", "5s", "--record", "day.ndjson")[0] == code
    assert (given[0].seconds, given[0].seed, str(given[0].record)) == (5, 7, "day.ndjson")


def test_faults_out_of_a_group_of_tasks_are_told_each(run, monkeypatch):
    def fail(_):
        raise ExceptionGroup("tasks", [Fatal("a", "is lost"), ExceptionGroup("more", [Retry("b", "is away", "wait")])])

    monkeypatch.setattr(bootstrap, "run_exporter", fail)
    assert run("exporter") == (2, "", "leadbeat: a: is lost\nleadbeat: b: is away (wait)\n")


def test_any_other_fault_is_a_bug_and_shows_itself(run, monkeypatch):
    def fail(_):
        raise ZeroDivisionError

    monkeypatch.setattr(bootstrap, "run_exporter", fail)
    with pytest.raises(ZeroDivisionError):
        run("exporter")


def test_help_names_every_command():
    told = CliRunner().invoke(commands.app, ["--help"], env={"COLUMNS": "120"}).output
    for command in ("kpis", "schema", "replay", "simulate", "exporter", "gateway", "worker", "demo"):
        assert command in told


def test_the_minimum_n_of_the_settings_reaches_every_formula():
    settings = Settings(minimum_n={"mean": 2, "ratio": 3, "p50": 4, "p90": 5, "p95": 6, "max": 7})
    least = settings.minimum_n.by_formula()
    assert {str(formula): n for formula, n in least.items()} == {
        "mean": 2,
        "mean_time": 2,
        "ratio": 3,
        "p50": 4,
        "p90": 5,
        "p95": 6,
        "max": 7,
    }
