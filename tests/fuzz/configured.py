"""What reads settings: a rules document with all that can be said of it, a settings file whole."""

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import crowd
import msgspec
from build import NOON
from fuzz.forms import TOML
from fuzz.target import Target
from services import CHECKOUT

from models.codes import Codes
from streams.config import load
from streams.errors import Fatal
from streams.rulebook.remarks import check
from streams.tables import rules as stored


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="leadbeat-fuzz-"))


def _file(data: bytes) -> Path:
    path = _folder() / "leadbeat.toml"
    path.write_bytes(data)
    return path


def _rules(data: bytes) -> None:
    """What is told is told as text; rules without mistakes can be gone by."""
    checked = check(_file(data))
    assert all(str(remark).isprintable() for remark in (*checked.mistakes, *checked.warnings))
    if not checked.mistakes:
        Codes(checked.rules(1))


def _settings(data: bytes) -> None:
    Codes(load(_file(data)).rules())


def _stored_rules(data: bytes) -> None:
    assert stored._decode(data, "rules").version is not None


def _documents() -> list[bytes]:
    """Settings of all kinds, whole and table by table."""
    example = (CHECKOUT / "docs" / "leadbeat.example.toml").read_bytes()
    close = (CHECKOUT / "tests" / "golden" / "close" / "settings.toml").read_bytes()
    tables = [TOML.encode({name: table}) for name, table in TOML.decode(example).items()]
    return [example, close, crowd.RULES.encode(), *tables, b""]


def _documents_stored() -> list[bytes]:
    rules = [check(_file(text.encode())).rules(3) for text in (crowd.RULES, "")]
    return [msgspec.json.encode(stored.RulesDocument(each, NOON, "somebody")) for each in rules]


TARGETS: Final[Mapping[str, Target]] = {
    "rules": Target(_rules, _documents, (Fatal,), TOML),
    "settings": Target(_settings, _documents, (Fatal,), TOML),
    "stored-rules": Target(_stored_rules, _documents_stored, (Fatal,)),
}
