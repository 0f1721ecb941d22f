"""The locks of what runs on Node.js: exact versions with hashes, and no address of any registry."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / "tests/node", ROOT / "examples/subscribers/node"]


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.parent.name)
def folder(request: pytest.FixtureRequest) -> Path:
    """Each folder with a package in turn."""
    found: Path = request.param
    return found


def read(path: Path) -> Any:
    return orjson.loads(path.read_bytes())


def test_the_lock_names_no_address(folder: Path) -> None:
    text = (folder / "package-lock.json").read_text()
    assert "://" not in text
    assert "resolved" not in text


def test_every_package_has_a_version_and_a_hash(folder: Path) -> None:
    lock = read(folder / "package-lock.json")
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        assert package["version"]


def test_the_lock_is_what_the_package_asks_for(folder: Path) -> None:
    package, lock = read(folder / "package.json"), read(folder / "package-lock.json")
    assert lock["packages"][""]["dependencies"] == package["dependencies"]
    for name, version in package["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
