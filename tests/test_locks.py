"""The locks and the list of licences follow pyproject.toml."""

import re
import tomllib
from pathlib import Path

import list_licences
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
LOCKED = [path for path in LOCKS if path.name != "no-torch.txt"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
UNLOCKED = {"torch"}


def versions(path: Path) -> dict[str, set[str]]:
    """Return the locked versions of each package; there may be some for different versions of Python."""
    found: dict[str, set[str]] = {}
    for line in path.read_text().splitlines():
        if re.match(r"\w", line):
            requirement = Requirement(line.removesuffix("\\"))
            (specifier,) = requirement.specifier
            assert specifier.operator == "=="
            found.setdefault(canonicalize_name(requirement.name), set()).add(specifier.version)
    return found


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.stem)
def test_every_package_has_hashes_and_no_address(path: Path) -> None:
    packages = re.split(r"\n(?=\w)", path.read_text().strip())
    assert len(packages) > 5
    assert [
        text for text in packages if not re.fullmatch(r"[^\n]+==[^\n]+( \\\n +--hash=sha256:[0-9a-f]{64})+", text)
    ] == []


@pytest.mark.parametrize("extra", ["", *PROJECT["optional-dependencies"]])
def test_locks_fit_the_ranges_of_the_project(extra: str) -> None:
    """If this fails: make lock."""
    requirements = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    locks = [versions(ROOT / "locks" / "dev.txt")]
    if extra in ("", "ppocr"):
        locks.append(versions(ROOT / "locks" / "run.txt"))
    for requirement in map(Requirement, requirements):
        name = canonicalize_name(requirement.name)
        if name in UNLOCKED or (requirement.marker and not requirement.marker.evaluate()):
            continue
        for locked in locks:
            assert all(requirement.specifier.contains(version) for version in locked[name]), requirement


def test_the_image_and_the_development_environment_have_the_same_versions() -> None:
    run, dev = versions(ROOT / "locks" / "run.txt"), versions(ROOT / "locks" / "dev.txt")
    assert {name: dev[name] for name in run} == run


def test_every_direct_dependency_and_all_weights_are_in_the_list_of_licences() -> None:
    """If this fails: make licences."""
    written = (ROOT / "docs" / "licences.md").read_text().splitlines()
    assert [line for line in list_licences.direct_lines() if line not in written] == []
