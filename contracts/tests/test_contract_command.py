"""`python -m message_contracts`: exit codes and readable lines, on a checkout and on copies that are made wrong."""

import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from message_contracts import __main__ as command
from message_contracts import examples, generation, schema_rules
from message_contracts.schemas import PACKAGE

REQUESTED = "messages/run.requested/v1.schema.json"


def test_the_contracts_of_this_checkout_are_in_order() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "message_contracts", "check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "message types: schemas, examples, compatibility and models agree" in done.stdout


def test_release_copies_the_schemas_and_check_compares_with_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released = tmp_path / "released"
    assert command.main(["release", "--released", str(released)]) == 0
    assert f"released {REQUESTED}" in capsys.readouterr().out
    assert (released / REQUESTED).read_bytes() == (PACKAGE / REQUESTED).read_bytes()
    assert command.main(["check", "--released", str(released)]) == 0
    assert command.main(["release", "--released", str(released)]) == 0
    capsys.readouterr()

    earlier = orjson.loads((released / REQUESTED).read_bytes())
    earlier["properties"]["reason"] = {"type": "string"}
    (released / REQUESTED).write_bytes(orjson.dumps(earlier))
    for chosen in ("check", "release"):
        assert command.main([chosen, "--released", str(released)]) == 1
        assert capsys.readouterr().err == "threadworks.run.requested.v1 /reason: field removed\n"
    assert orjson.loads((released / REQUESTED).read_bytes()) == earlier


def test_check_without_released_schemas_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A check that compares with nothing would always pass."""
    assert command.main(["check", "--released", str(tmp_path / "nowhere")]) == 1
    assert "no released schemas there" in capsys.readouterr().err


@pytest.mark.parametrize("chosen", ["check", "generate", "release"])
def test_an_installed_package_is_no_checkout(
    chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "CHECKOUT", tmp_path)
    assert command.main([chosen]) == 1
    assert capsys.readouterr().err == f"{tmp_path} is no checkout of the contracts\n"


def test_a_broken_house_rule_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema_rules, "broken_rules", lambda schemas: iter(["urn:x: has no description"]))
    assert command.main(["check"]) == 1
    assert capsys.readouterr().err == "urn:x: has no description\n"


def test_a_wrong_example_fails_the_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = examples.Example("threadworks.run.requested.v1", Path("valid-run.json"), {})
    found = [*examples.examples(), wrong]
    monkeypatch.setattr(examples, "examples", lambda: iter(found))
    assert command.main(["check"]) == 1
    told = "threadworks.run.requested.v1/valid-run: does not fit: /: required run\n"
    assert capsys.readouterr().err == told


def test_drift_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(generation.MODELS, models, ignore=shutil.ignore_patterns("__pycache__"))
    (models / "run.py").write_text("")
    stale = generation.drift(models)
    monkeypatch.setattr(generation, "drift", lambda: stale)
    assert command.main(["check"]) == 1
    assert capsys.readouterr().err == "models/run.py does not agree with the schemas; run generate\n"


def test_generate_has_nothing_to_write_in_a_checkout_that_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["generate"]) == 0
    assert capsys.readouterr().out == ""
