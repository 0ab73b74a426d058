"""The organisation's own KPIs: the module that the configuration names, brought in before the catalogue is made.

It is Python that runs with the rights of the process, like the configuration that names it.
"""

import importlib
import re
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Final

import models
import streams
from models import extension
from models.extension import Module
from streams.config import kpis_module
from streams.errors import Fatal

CATALOGUE: Final = "models.catalogue"
WHERE: Final = "kpis.module"

_OURS: Final = tuple(Path(str(module.__file__)).parent for module in (models, streams))
_HELP: Final = frozenset({"--help", "--version"})
_NAME: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def asked_for(words: Sequence[str]) -> str:
    """The module that a command line asks for: by `--kpis`, else by the settings; empty without one, and for help."""
    if _HELP.intersection(words):
        return ""
    return _last("--kpis", words) or kpis_module(_last("--config", words) or None)


def _last(option: str, words: Sequence[str]) -> str:
    """The value of an option, the last one if it is given more than once; empty without it."""
    found = ""
    for word, after in pairwise((*words, "")):
        if word == "--":
            break
        if word == option:
            found = after
        elif word.startswith(f"{option}="):
            found = word.removeprefix(f"{option}=")
    return found


def enlist(name: str) -> None:
    """Have the KPIs of a module take part in all that this process does; none if the name is empty.

    Raises Fatal if the module cannot be imported, or comes too late; InvalidKpisError that lists all mistakes in it.
    """
    if CATALOGUE in sys.modules:
        check(name)
        return
    extension.enlist(partial(_module, name) if name else None)
    if name:
        importlib.import_module(CATALOGUE)


def check(name: str) -> None:
    """Raise Fatal unless the catalogue has been made with the KPIs of this module."""
    from models.catalogue import OWN  # noqa: PLC0415 - it must not be made before it is known what is to be in it

    if OWN.name != name:
        raise Fatal(
            WHERE,
            f"this process knows {f'the KPIs of {OWN.name}' if OWN.name else 'no own KPIs'}, not those of {name or 'nobody'}",
            "start it by the command leadbeat, or by python -m streams.cli",
        )


def _module(name: str) -> Module:
    if not _NAME.fullmatch(name):
        raise Fatal(WHERE, f"{name!r} is not the name of a module", "write it as Python imports it, such as acme_kpis")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # behind all else, so that nothing is hidden by a file that happens to lie here
    try:
        module = importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - whatever somebody else's code raises
        raise Fatal(WHERE, f"{name} cannot be imported: {_told(name, error)}", "see docs/own_kpis.md") from None
    return Module(name, vars(module), _source(module))


def _told(name: str, error: Exception) -> str:
    """What went wrong in a module, and in which line of it."""
    if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
        return f"there is no {error.name} in the working directory or among the installed packages"
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return f"{place}{type(error).__name__}: {error}"


def _is_ours(file: str) -> bool:
    return "importlib" in file or any(Path(file).is_relative_to(folder) for folder in _OURS)


def _source(module: ModuleType) -> bytes:
    """The code that a module is made of: of a package, or of a module within one, all of the package's."""
    top = sys.modules[module.__name__.partition(".")[0]]
    folders = [Path(folder) for folder in getattr(top, "__path__", ())]
    if not folders:
        return Path(str(module.__file__)).read_bytes()
    files = sorted((file.relative_to(folder).as_posix(), file) for folder in folders for file in folder.rglob("*.py"))
    return b"".join(name.encode() + b"\0" + file.read_bytes() + b"\0" for name, file in files)
