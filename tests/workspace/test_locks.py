"""The committed locks fit the pyproject files, name no host, and pin everything with a hash."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
WORKSPACE = tomllib.loads((ROOT / "pyproject.toml").read_text())
MEMBERS = {
    tomllib.loads(path.read_text())["project"]["name"]: tomllib.loads(path.read_text())["project"]
    for pattern in WORKSPACE["tool"]["uv"]["workspace"]["members"]
    for path in sorted(ROOT.glob(f"{pattern}/pyproject.toml"))
}
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+?)(?: ; (.+?))?(?: \\)?$")


def pins(lock: Path, *, here: bool = False) -> dict[str, str]:
    """Versions by name; with `here` only those that are for this platform and this Python."""
    found = (PIN.match(line) for line in lock.read_text().splitlines())
    return {
        canonicalize_name(pin[1]): pin[2]
        for pin in found
        if pin and not (here and pin[3] and not Marker(pin[3].removesuffix(" \\")).evaluate())
    }


def needed_by(name: str, seen: set[str] | None = None, *, extras: bool = False) -> dict[str, list[Requirement]]:
    """What a member needs from outside, with all workspace members below it; with `extras` its optional ones too."""
    seen = set() if seen is None else seen
    needed: dict[str, list[Requirement]] = {}
    if name in seen:
        return needed
    seen.add(name)
    optional = MEMBERS[name].get("optional-dependencies", {}).values() if extras else ()
    for text in [*MEMBERS[name]["dependencies"], *(text for group in optional for text in group)]:
        requirement = Requirement(text)
        if requirement.name in MEMBERS:
            for other, requirements in needed_by(requirement.name, seen).items():
                needed.setdefault(other, []).extend(requirements)
        else:
            needed.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return needed


def test_there_is_a_lock_for_all_and_one_for_each_image() -> None:
    images = {path.name.removesuffix(".Dockerfile") for path in ROOT.glob("deploy/images/*.Dockerfile")}
    services = {path.parent.name for path in ROOT.glob("services/*/pyproject.toml")}
    assert {lock.stem for lock in LOCKS} == {"all", *images}
    assert services < images


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_names_no_host_and_hashes_everything(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(blocks) == len(pins(lock))
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_what_a_member_asks_for_is_in_the_lock(name: str) -> None:
    lock = ROOT / "locks" / f"{name}.txt"
    pinned = pins(lock if lock.exists() else ROOT / "locks" / "all.txt")
    for other, requirements in needed_by(name).items():
        for requirement in requirements:
            if requirement.marker is not None and not requirement.marker.evaluate():
                continue
            assert other in pinned, f"{requirement} is in no lock: run `make lock`"
            assert requirement.specifier.contains(pinned[other]), f"{requirement} is locked at {pinned[other]}"


@pytest.mark.parametrize("name", sorted(name for name in MEMBERS if "optional-dependencies" in MEMBERS[name]))
def test_what_a_member_asks_for_optionally_is_in_the_lock_of_all(name: str) -> None:
    pinned = pins(ROOT / "locks" / "all.txt")
    for other, requirements in needed_by(name, extras=True).items():
        for requirement in requirements:
            assert other in pinned, f"{requirement} is in no lock: run `make lock`"
            assert requirement.specifier.contains(pinned[other]), f"{requirement} is locked at {pinned[other]}"


def test_what_the_developers_ask_for_is_in_the_lock() -> None:
    pinned = pins(ROOT / "locks" / "all.txt")
    for text in WORKSPACE["dependency-groups"]["dev"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), text


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock.stem != "all"], ids=lambda lock: lock.stem)
def test_services_run_on_the_versions_that_are_tested(lock: Path) -> None:
    everything = pins(ROOT / "locks" / "all.txt")
    assert pins(lock).items() <= everything.items()


def test_the_environment_is_what_the_lock_says() -> None:
    for name, version in pins(ROOT / "locks" / "all.txt", here=True).items():
        assert distribution(name).version == version, f"{name}: run `make install`"
