"""`make audit-dependencies`: of all that is locked, and nothing is passed over."""

import re

from services import CHECKOUT

LOCKS = sorted(path.name for path in CHECKOUT.glob("requirements*.lock"))
MAKEFILE = (CHECKOUT / "Makefile").read_text()
(RECIPE,) = re.findall(r"^audit-dependencies:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)


def test_every_lock_file_is_asked_about():
    assert "$(sort $(wildcard requirements*.lock))" in RECIPE
    assert sorted({f"{name}.lock" for name in re.findall(r"--output-file (\S+)\.lock", MAKEFILE)}) == LOCKS
    assert "requirements-audit.lock" in LOCKS  # with what does the asking


def test_what_cannot_be_asked_about_fails_and_so_does_what_comes_without_a_hash():
    assert {"--strict", "--require-hashes", "--disable-pip"} <= set(RECIPE.split())
    assert "|| failed=1" in RECIPE
    assert "exit $${failed:-0}" in RECIPE


def test_every_package_is_of_one_version_and_has_hashes():
    for name in LOCKS:
        requirements = re.split(r"\n(?=\S)", (CHECKOUT / name).read_text().strip())
        odd = [each for each in requirements if not re.match(r"[a-z0-9._-]+==\S+( ; .+)? \\\n    --hash=sha256:", each)]
        assert odd == [], name
