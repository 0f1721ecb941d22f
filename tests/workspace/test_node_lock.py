"""The lock of the Node.js suite: exact versions with hashes, and no address of any registry."""

import re
from pathlib import Path

import orjson

FOLDER = Path(__file__).resolve().parents[1] / "node"
PACKAGE = orjson.loads((FOLDER / "package.json").read_bytes())
LOCK = orjson.loads((FOLDER / "package-lock.json").read_bytes())


def test_the_lock_names_no_address() -> None:
    text = (FOLDER / "package-lock.json").read_text()
    assert "://" not in text
    assert "resolved" not in text


def test_every_package_has_a_version_and_a_hash() -> None:
    packages = {name: package for name, package in LOCK["packages"].items() if name}
    assert packages
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        assert package["version"]


def test_the_lock_is_what_the_package_asks_for() -> None:
    assert LOCK["packages"][""]["dependencies"] == PACKAGE["dependencies"]
    for name, version in PACKAGE["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert LOCK["packages"][f"node_modules/{name}"]["version"] == version
