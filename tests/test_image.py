"""The Dockerfile: its steps, carried out without Docker in folders of the test, make a `leadbeat` that starts."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest
from services import CHECKOUT
from stack import compose

pytestmark = pytest.mark.timeout(600)

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
PATTERNS = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
OF_THE_SYSTEM = ("groupadd ",)
"""What a step begins with that would change this machine."""


class Step(NamedTuple):
    """An instruction of the Dockerfile and what follows it."""

    instruction: str
    rest: str


def steps() -> Iterator[Step]:
    for line in re.sub(r"\\\n\s*", " ", DOCKERFILE).splitlines():
        if line and not line.startswith("#"):
            yield Step(*line.split(" ", 1))


def told(instruction: str) -> list[str]:
    return [step.rest for step in steps() if step.instruction == instruction]


def is_sent(path: str) -> bool:
    """Whether a file of the checkout gets to the build: the last pattern that fits it, or a folder that it is in, decides."""
    sent = True
    parts = Path(path).parts
    for pattern in PATTERNS:
        name = pattern.removeprefix("!")
        fits = any(fnmatchcase(part, name.removeprefix("**/")) for part in (parts if name.startswith("**/") else parts[:1]))
        sent = pattern.startswith("!") if fits else sent
    return sent


def sent(source: str) -> list[Path]:
    """The files that a COPY of a file or folder copies."""
    paths = [CHECKOUT / source, *(CHECKOUT / source).rglob("*")]
    return [path for path in paths if path.is_file() and is_sent(path.relative_to(CHECKOUT).as_posix())]


@dataclass
class Stage:
    """A stage of the build. `root` stands for its file system."""

    root: Path
    folder: str = "/"
    environment: dict[str, str] = field(default_factory=dict)

    def place(self, path: str = "") -> Path:
        return Path(f"{self.root}{Path(self.folder, path)}")

    def run(self, command: str) -> None:
        """Run a step, with this machine's Python and this stage's folders."""
        command = command.replace("python -m", f"{shlex.quote(sys.executable)} -m")
        command = command.replace("/opt/leadbeat", shlex.quote(f"{self.root}/opt/leadbeat"))
        subprocess.run(["/bin/sh", "-ec", command], cwd=self.place(), check=True)

    def copy(self, sources: list[str], target: str) -> None:
        for source in sources:
            paths = sent(source)
            assert paths, f"COPY {source}: there is no such file, or .dockerignore leaves it out"
            for path in paths:
                copy = self.place(target) / path.relative_to(
                    (CHECKOUT / source).parent if target == "./" else CHECKOUT / source
                )
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)

    def take(self, other: "Stage", path: str) -> None:
        """Have a folder of another stage. What was installed there names it by its path, so it stays there."""
        self.place(path).parent.mkdir(parents=True, exist_ok=True)
        self.place(path).symlink_to(other.place(path))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The last stage, built."""
    stages: dict[str, Stage] = {}
    stage = Stage(Path())
    for instruction, rest in steps():
        match instruction:
            case "FROM":
                name = rest.partition(" AS ")[2] or "last"
                stage = stages[name] = Stage(tmp_path_factory.mktemp(name))
            case "WORKDIR":
                stage.folder = rest
                stage.place().mkdir(parents=True, exist_ok=True)
            case "ENV":
                stage.environment |= dict(word.split("=", 1) for word in rest.split())
            case "RUN" if not rest.startswith(OF_THE_SYSTEM):
                stage.run(rest)
            case "COPY" if rest.startswith("--from="):
                other, path, same = rest.removeprefix("--from=").split()
                assert path == same
                stage.take(stages[other], path)
            case "COPY":
                *sources, target = rest.split()
                stage.copy(sources, target)
    return stages["last"]


def test_the_image_starts(image):
    path = image.environment["PATH"].replace("/opt/leadbeat", str(image.place("/opt/leadbeat"))).replace("$PATH", os.defpath)
    command = [*json.loads(told("ENTRYPOINT")[0]), *json.loads(told("CMD")[0])]
    done = subprocess.run(command, cwd="/", env={"PATH": path}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "worker" in done.stdout


def test_the_image_has_every_file_of_the_packages(image):
    (packages,) = image.place("/opt/leadbeat").glob("lib/python3*/site-packages")
    ours = [path.relative_to(CHECKOUT) for name in ("models", "streams") for path in sent(name)]
    assert [path for path in ours if not (packages / path).exists()] == []


def test_only_what_is_built_from_is_sent():
    assert {path.name for path in CHECKOUT.iterdir() if is_sent(path.name)} == {
        *("models", "streams", "pyproject.toml", "requirements.lock", "README.md"),
    }
    assert not is_sent("streams/__pycache__/cli.cpython-311.pyc")


def test_it_is_of_a_pinned_python_that_we_support():
    bases = {base.partition(" ")[0] for base in told("FROM")}
    (base,) = bases
    release = re.fullmatch(r"python:(3\.\d+)\.\d+-slim-bookworm", base)[1]
    minor = int(release.partition(".")[2])
    supported = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert supported == ">=3.11,<3.14"
    assert 11 <= minor < 14


def test_it_is_nobody_in_particular_and_the_same_as_in_docker_compose():
    (user,) = told("USER")
    assert user.split(":")[0] != "0"
    assert {service["user"] for service in compose()["services"].values() if service["image"].startswith("leadbeat:")} == {user}
    assert f"--uid {user.split(':')[0]} " in told("RUN")[-1]


def test_the_gateways_volume_belongs_to_its_user_and_to_nobody_else():
    (owner,) = told("USER")
    mounts = [volume.split(":") for volume in compose()["services"]["gateway"]["volumes"]]
    (place,) = (target for source, target, *_ in mounts if source == "gateway-spool")
    user, group = owner.split(":")
    assert f"install --directory --owner={user} --group={group} --mode=0700 {place}" in told("RUN")[-1]


def test_dependencies_are_installed_by_their_hashes():
    first, second = (command for command in told("RUN") if " pip " in command)
    assert "--require-hashes" in first
    assert "--no-index" in second
