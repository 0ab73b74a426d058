"""Reading the settings: the file, the environment over it, the secrets, and all mistakes at once, each with its place."""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from models.compared import is_compared
from models.kpis import Figure
from models.rules import LISTS, OTHER, UNASSIGNED
from streams.config.calendars import mistakes_in
from streams.config.secrets import anchor, open_secrets, resolve
from streams.config.security import contradictions_of_kafka, contradictions_of_redis, missing
from streams.config.settings import Settings
from streams.config.values import Mistake, Place, Section, instant
from streams.errors import Fatal

PREFIX = "LEADBEAT_"
CONFIG = "LEADBEAT_CONFIG"

WORKTIME: Final = ("calendars", "team_calendars", "rep_calendars", "absences")

RULES: Final = (
    "organisation",
    "roster",
    "sla",
    *LISTS.values(),
    "referral_origins",
    "pairs",
    "meetings",
    "customers",
    "money",
    "deal_stages",
    "targets",
    "leaderboards",
    "quotas",
    "plans",
    "rules_version",
    *WORKTIME,
)
"""The settings that are rules; all that a rules document needs to have."""

PLAINLY = {
    "dict_type": "is not a table",
    "missing": "is missing",
    "model_type": "is not a table",
    "string_sub_type": "is not text",
    "string_type": "is not text",
    "string_unicode": "is not text",
    "too_short": "is empty",
    "tuple_type": "is not a list",
}
"""What pydantic says about Python types, said about settings."""

# What Kubernetes adds for services whose names begin with leadbeat; none of our business, and none of our mistakes.
SERVICE_LINK = re.compile(r"(\w*_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
SERVICE_PORT = re.compile(r"(\w*_)?PORT=(tcp|udp|sctp)://.*", re.DOTALL)


def load(path: Path | str | None = None) -> Settings:
    """The settings of a TOML file (else the one that LEADBEAT_CONFIG names, else none) and of the environment, which wins.

    Raises Fatal that lists every mistake with its place: an environment variable, or a key of the file. It shows no values.
    """
    path = path or os.environ.get(CONFIG) or None
    return judged(read_raw(path), path, _unknown_variables())


def read_raw(path: Path | str | None) -> dict[str, Any]:
    """What file and environment say together, as it stands. Raises Fatal if the file cannot be read."""
    return _merge(_read(Path(path)) if path else {}, _Environment()())


def judged(raw: dict[str, Any], path: Path | str | None, faults: Iterable[str] = ()) -> Settings:
    """What was read, with its secrets, which are put into `raw`. Raises Fatal as `load` does; `faults` are told, too."""
    folder = folder_of(path)
    exposed = list(open_secrets(raw))
    mistakes = [*resolve(raw, folder), *anchor(raw, folder)]
    unreadable = {place for place, _ in mistakes}
    settings, invalid = _validate(raw)
    mistakes += [mistake for mistake in invalid if mistake[0] not in unreadable]
    mistakes += _check(settings, mistakes)
    if settings.require_security:
        mistakes += missing(settings, exposed)
    lines = [*faults, *(f"{_name(place, path)}: {what}" for place, what in mistakes)]
    if lines:
        count = "a mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        raise Fatal("configuration", f"{count}\n  " + "\n  ".join(lines), "see docs/leadbeat.example.toml")
    return settings


def folder_of(path: Path | str | None) -> Path:
    """Where the files lie that settings name."""
    return Path(path).parent if path else Path()


def kpis_module(path: Path | str | None = None) -> str:
    """The module of own KPIs that the same settings name; whatever is wrong with them is for `load` to tell."""
    path = path or os.environ.get(CONFIG) or None
    try:
        raw = read_raw(path)
    except Fatal:
        return ""
    section = raw.get("kpis")
    name = section.get("module") if isinstance(section, dict) else None
    return name if isinstance(name, str) else ""


def load_rules(path: Path) -> tuple[Settings, list[tuple[str, str]]]:
    """The rules in a file, as settings that hold nothing else, and all mistakes in them: where each is, and what it is.

    The file may be that of all settings: what is no rule in it is passed over. The environment is, too. Raises Fatal if the
    file cannot be read as TOML.
    """
    raw = _read(path)
    known = Settings.model_fields
    mistakes: list[Mistake] = [((key,), "is not a setting" + _suggestion(key, known)) for key in raw if key not in known]
    settings, invalid = _validate({key: value for key, value in raw.items() if key in RULES})
    mistakes += invalid
    mistakes += _check(settings, mistakes)
    return settings, [(_dotted(place).removeprefix("."), what) for place, what in mistakes]


def _check(settings: Settings, mistakes: Iterable[Mistake]) -> list[Mistake]:
    """What single values cannot tell, where what it depends on has no mistakes."""
    broken = {str(place[0]) for place, _ in mistakes}
    return [mistake for reads, check in CHECKS if not reads & broken for mistake in check(settings)]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Fatal(str(path), f"cannot be read: {error.strerror}", f"check --config and {CONFIG}") from None
    except (ValueError, RecursionError) as error:
        raise Fatal(str(path), f"is not TOML: {error}", "see docs/leadbeat.example.toml") from None


class _Variables(Settings, BaseSettings):
    """The settings as pydantic-settings wants them, to tell which are nested and which are JSON; never made."""

    model_config = SettingsConfigDict(extra="forbid")


class _Environment(EnvSettingsSource):
    """LEADBEAT_* as a nested dict; what should be JSON and is not stays text, so that validation reports it in its place."""

    def __init__(self) -> None:
        super().__init__(_Variables, env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True)

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _validate(raw: dict[str, Any]) -> tuple[Settings, list[Mistake]]:
    """The settings, with defaults for the sections that have mistakes, and these mistakes."""
    try:
        return Settings.model_validate(raw), []
    except ValidationError as error:
        found = error.errors(include_input=False)
        within = {place["loc"][:-1] for place in found}
        mistakes = [(each["loc"], _message(each)) for each in found if each["loc"] not in within]
    broken = {place[0] for place, _ in mistakes}
    return Settings.model_validate({key: value for key, value in raw.items() if key not in broken}), mistakes


def _message(error: ErrorDetails) -> str:
    match error["type"]:
        case "extra_forbidden":
            return "is not a setting" + _suggestion(str(error["loc"][-1]), _keys())
        case "value_error":
            return str(error["ctx"]["error"])
        case kind:
            return PLAINLY.get(kind) or error["msg"][:1].lower() + error["msg"][1:]


def _keys() -> list[str]:
    models = Section.__subclasses__()
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})


def _suggestion(word: str, known: Iterable[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f": did you mean {prefix}{close[0]}?" if close else ""


def _unknown_variables() -> Iterator[str]:
    known = {name.upper(): field for name, field in Settings.model_fields.items()}
    nested = [f"{name}__{key}".upper() for name, field in known.items() for key in _fields(field)]
    for variable, value in sorted(os.environ.items()):
        name = variable.upper().removeprefix(PREFIX)
        ours = name != variable.upper() and variable != CONFIG and name.partition("__")[0] not in known
        if ours and not SERVICE_LINK.fullmatch(name) and not SERVICE_PORT.fullmatch(f"{name}={value}"):
            yield f"{variable}: is not a setting" + _suggestion(name, [*known, *nested], PREFIX)


def _fields(field: FieldInfo) -> Iterable[str]:
    sections: dict[Any, list[str]] = {section: list(section.model_fields) for section in Section.__subclasses__()}
    return sections.get(field.annotation, [])


def _name(place: Place, path: Path | str | None) -> str:
    """The variable that gives what lies at a place, with the path within it; else the path within the file."""
    names = {name.upper(): name for name, value in os.environ.items() if value}
    for length in range(len(place), 0, -1):
        variable = names.get(PREFIX + "__".join(str(part).upper() for part in place[:length]))
        if variable:
            return variable + _dotted(place[length:])
    within = _dotted(place).removeprefix(".")
    return f"{path}: {within}" if path else within


def _dotted(place: Place) -> str:
    keys = (part if isinstance(part, int) or part.isprintable() else ascii(part) for part in place)
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in keys)


def _twin_connections(settings: Settings) -> Iterator[Mistake]:
    yield from _twins("connections", "name", [connection.name for connection in settings.connections])
    yield from _twins("connections", "token", [connection.token.get_secret_value() for connection in settings.connections])


def _twin_tokens(settings: Settings) -> Iterator[Mistake]:
    yield from _twins("api_tokens", "name", [token.name for token in settings.api_tokens])
    holders = [(digest, index) for index, token in enumerate(settings.api_tokens) for digest in token.hashes]
    firsts = dict(reversed(holders))
    for digest, index in holders:
        if firsts[digest] < index:
            yield ("api_tokens", index, "hashes"), f"one is the same as in api_tokens[{firsts[digest]}]"


def _twin_entries(settings: Settings) -> Iterator[Mistake]:
    entries = [(entry.rep, instant(entry.since, settings.organisation.zone)) for entry in settings.roster]
    yield from _twins("roster", "from", entries)


def _twins(section: str, key: str, values: list[Any]) -> Iterator[Mistake]:
    for index, value in enumerate(values):
        first = values.index(value)
        if first < index:
            yield (*section.split("."), index, key), f"is the same as in {section}[{first}]"


def _twin_rates(settings: Settings) -> Iterator[Mistake]:
    zone, rates = settings.organisation.zone, settings.money.rates
    yield from _twins("money.rates", "from", [(entry.currency, instant(entry.since, zone)) for entry in rates])
    for index, entry in enumerate(rates):
        if entry.currency == settings.money.currency:
            yield ("money", "rates", index, "currency"), "is the organisation's own, which needs no rate"


def _twin_stages(settings: Settings) -> Iterator[Mistake]:
    yield from _twins("deal_stages", "name", [entry.name for entry in settings.deal_stages])


def _comparable() -> list[Figure]:
    """The KPIs that targets and leaderboards can name."""
    from models.catalogue import KPIS  # noqa: PLC0415 - own KPIs are named by the settings

    return [figure for figure in KPIS if is_compared(figure)]


def _odd_targets(settings: Settings) -> Iterator[Mistake]:
    """A target is of a KPI that is told in its window, and there is one at a time."""
    known = {figure.id: figure.windows for figure in _comparable()}
    for index, entry in enumerate(settings.targets):
        if entry.kpi not in known:
            yield (
                ("targets", index, "kpi"),
                f"{entry.kpi!r} is no KPI without labels, or only a part of one: see `leadbeat kpis`",
            )
        elif entry.window not in known[entry.kpi]:
            yield ("targets", index, "window"), f"{entry.kpi} is told in {', '.join(known[entry.kpi])} only"
    zone = settings.organisation.zone
    yield from _twins("targets", "from", [(entry.kpi, entry.window, instant(entry.since, zone)) for entry in settings.targets])


def _odd_leaderboards(settings: Settings) -> Iterator[Mistake]:
    """Reps are ranked by a KPI that they have, once."""
    known = {figure.id for figure in _comparable() if "rep" in figure.dims}
    for index, entry in enumerate(settings.leaderboards):
        if entry.kpi not in known:
            yield (
                ("leaderboards", index, "kpi"),
                f"{entry.kpi!r} is no KPI without labels that is told by rep: see `leadbeat kpis`",
            )
    yield from _twins("leaderboards", "kpi", [entry.kpi for entry in settings.leaderboards])


def _odd_quotas(settings: Settings) -> Iterator[Mistake]:
    """A quota is a rep's or a team's, of the roster, and there is one at a time; a ramp is a rep's."""
    zone = settings.organisation.zone
    reps, teams = ({getattr(entry, name) for entry in settings.roster} for name in ("rep", "team"))
    for index, entry in enumerate(settings.quotas):
        if (entry.rep is None) == (entry.team is None):
            yield ("quotas", index, "rep"), "a quota is a rep's or a team's: give one of the two"
        if entry.rep is not None and entry.rep not in reps:
            yield ("quotas", index, "rep"), f"{entry.rep!r} is not a rep of the roster"
        if entry.team is not None and entry.team not in teams:
            yield ("quotas", index, "team"), f"{entry.team!r} is not a team of the roster"
        if entry.team is not None and entry.ramp:
            yield ("quotas", index, "ramp"), "is a rep's: a team has no first months"
    yield from _twins("quotas", "from", [(entry.rep, entry.team, instant(entry.since, zone)) for entry in settings.quotas])


def _odd_plans(settings: Settings) -> Iterator[Mistake]:
    """A plan is of a rep of the roster, who has one at a time."""
    reps = {entry.rep for entry in settings.roster}
    for index, entry in enumerate(settings.plans):
        if entry.rep not in reps:
            yield ("plans", index, "rep"), f"{entry.rep!r} is not a rep of the roster"
    zone = settings.organisation.zone
    yield from _twins("plans", "from", [(entry.rep, instant(entry.since, zone)) for entry in settings.plans])


def _strangers_in_sla(settings: Settings) -> Iterator[Mistake]:
    """A policy for a team or lead source that nobody has would never apply: a slip of the pen that nobody would see."""
    teams = {entry.team for entry in settings.roster} | {None, UNASSIGNED, OTHER}
    for index, entry in enumerate(settings.sla):
        if entry.team not in teams:
            yield ("sla", index, "team"), f"{entry.team!r} is not a team of the roster"
        if entry.lead_source not in (None, *settings.lead_sources):
            yield ("sla", index, "lead_source"), f"{entry.lead_source!r} is not among lead_sources"


def _strange_pairs(settings: Settings) -> Iterator[Mistake]:
    said = settings.model_copy(update=dict.fromkeys(WORKTIME, ()))
    for index, what in said.unchecked_rules().pair_faults():
        yield ("pairs", index), what


def _strange_worktime(settings: Settings) -> Iterator[Mistake]:
    yield from mistakes_in(settings.worktime(), settings.model_copy(update={"absences": ()}).unchecked_rules())


CHECKS: tuple[tuple[frozenset[str], Callable[[Settings], Iterator[Mistake]]], ...] = (
    (frozenset({"kafka"}), contradictions_of_kafka),
    (frozenset({"redis"}), contradictions_of_redis),
    (frozenset({"connections"}), _twin_connections),
    (frozenset({"api_tokens"}), _twin_tokens),
    (frozenset({"roster", "organisation"}), _twin_entries),
    (frozenset({"money", "organisation"}), _twin_rates),
    (frozenset({"deal_stages"}), _twin_stages),
    (frozenset({"targets", "organisation"}), _odd_targets),
    (frozenset({"leaderboards"}), _odd_leaderboards),
    (frozenset({"quotas", "roster", "organisation"}), _odd_quotas),
    (frozenset({"plans", "roster", "organisation"}), _odd_plans),
    (frozenset({"sla", "roster", "lead_sources"}), _strangers_in_sla),
    (frozenset({"roster", "organisation", *WORKTIME}), _strange_worktime),
    (frozenset({"pairs", "roster", *LISTS.values()}), _strange_pairs),
)
"""What single values cannot tell, with the sections that each check reads: it is left out while one of them has mistakes."""
