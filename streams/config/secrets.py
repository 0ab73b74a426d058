"""Where secrets come from: the settings themselves, files, or variables of the environment.

A secret `key` may be given as `key`, `key_file` or `key_env`; those of a list `keys` also as `key_files` and `key_envs`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from streams.config.tls import TLS_FILES
from streams.config.values import Mistake, Place
from streams.errors import Fatal


class Secret(NamedTuple):
    """A setting that may be pointed at: its section, its key, and, of a list, what one of its values is called."""

    section: str
    key: str
    one: str = ""


SECRETS: Final = (
    Secret("kafka", "password"),
    Secret("redis", "url"),
    Secret("worker", "subject_key"),
    Secret("connections", "token"),
    Secret("connections", "email_key"),
    Secret("connections", "secrets", "secret"),
    Secret("api_tokens", "hashes", "hash"),
)


class Holder(NamedTuple):
    """A table of the settings that may hold a secret, and its place."""

    secret: Secret
    table: dict[str, Any]
    place: Place


def resolve(raw: dict[str, Any], folder: Path) -> Iterator[Mistake]:
    """Put what is pointed at under the secret's own key, where also what cannot be had is a mistake."""
    for secret, table, place in _holders(raw):
        resolving = _resolve_list(table, secret, folder) if secret.one else _resolve(table, secret.key, folder)
        yield from (((*place, secret.key), what) for what in resolving)


def anchor(raw: dict[str, Any], folder: Path) -> Iterator[Mistake]:
    """Let the files of `tls` tables be found from wherever we are started; those that cannot be read are mistakes."""
    for section in ("kafka", "redis"):
        found = raw.get(section)
        table = found.get("tls") if isinstance(found, dict) else None
        if not isinstance(table, dict):
            continue
        for key in TLS_FILES & table.keys():
            name = table[key]
            if isinstance(name, str):
                table[key] = str(folder / name)
                if not os.access(folder / name, os.R_OK):
                    yield (section, "tls", key), f"{name} cannot be read"


def open_secrets(raw: dict[str, Any]) -> Iterator[Place]:
    """The places of secrets, not resolved yet, that stand in the settings or in variables, where more can read them."""
    for secret, table, place in _holders(raw):
        names = (secret.key, f"{secret.key}_env", f"{secret.one}_envs")
        if secret.section != "api_tokens" and any(table.get(name) for name in names):  # a hash is no secret
            yield (*place, secret.key)


def secret_files(raw: dict[str, Any], folder: Path) -> Iterator[Path]:
    """The files that are pointed at, not resolved yet."""
    for secret, table, _ in _holders(raw):
        named = [*_listed(table.get(f"{secret.one}_files")), table.get(f"{secret.key}_file")]
        yield from (folder / name for name in named if isinstance(name, str))


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _holders(raw: dict[str, Any]) -> Iterator[Holder]:
    """Every table that is there, entry by entry of lists; what is no table is for validation to tell."""
    for secret in SECRETS:
        section = raw.get(secret.section)
        if isinstance(section, dict):
            yield Holder(secret, section, (secret.section,))
        for index, entry in enumerate(section if isinstance(section, list) else []):
            if isinstance(entry, dict):
                yield Holder(secret, entry, (secret.section, index))


def _resolve(table: dict[str, Any], key: str, folder: Path) -> Iterator[str]:
    given = [name for name in (key, f"{key}_file", f"{key}_env") if name in table]
    if len(given) > 1:
        yield f"is given more than once: {', '.join(given)}"
    for name in given:
        source = table.pop(name)
        try:
            table[key] = source if name == key else _fetch(name, source, folder)
        except Fatal as error:
            yield str(error)


def _resolve_list(table: dict[str, Any], secret: Secret, folder: Path) -> Iterator[str]:
    for name in (f"{secret.one}_files", f"{secret.one}_envs"):
        sources = table.pop(name, [])
        if not isinstance(sources, list):
            yield f"{name} is not a list"
            continue
        for source in sources:
            try:
                table[secret.key] = [*table.get(secret.key, []), _fetch(name, source, folder)]
            except Fatal as error:
                yield str(error)


def _fetch(name: str, source: object, folder: Path) -> str:
    """A secret from a file (relative to the settings file) or a variable. Raises Fatal, which names the source."""
    if not isinstance(source, str) or not source:
        raise Fatal(name, "is not a name")
    if "_env" in name:
        if not os.environ.get(source):
            raise Fatal(name, f"{source} is not set")
        return os.environ[source]
    try:
        return (folder / source).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Fatal(name, f"{source} cannot be read: {error.strerror}") from None
    except ValueError:
        raise Fatal(name, f"{source} does not hold text") from None
