"""What can be read off the Dockerfiles: their stages, users, members and versions. `test_images.py` builds them."""

import re
import tomllib
from pathlib import Path

import pytest
from dockerfile_steps import FOLDER, ROOT, Stage, follow, in_context, instructions, left_out
from packaging.requirements import Requirement

IMAGES = sorted(path.name.removesuffix(".Dockerfile") for path in FOLDER.glob("*.Dockerfile"))
MEMBERS = {
    tomllib.loads(path.read_text())["project"]["name"]: path.parent
    for pattern in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]["members"]
    for path in sorted(ROOT.glob(f"{pattern}/pyproject.toml"))
}


def text(name: str) -> str:
    return (FOLDER / f"{name}.Dockerfile").read_text()


def last_stage(name: str) -> list[tuple[str, str]]:
    steps = instructions(name)
    begin = max(number for number, (instruction, _) in enumerate(steps) if instruction == "FROM")
    return steps[begin:]


def with_members_below(name: str) -> set[Path]:
    """The folders of a member and of all that it stands on."""
    project = tomllib.loads((MEMBERS[name] / "pyproject.toml").read_text())["project"]
    below = [Requirement(each).name for each in project["dependencies"]]
    return {MEMBERS[name]}.union(*(with_members_below(each) for each in below if each in MEMBERS))


def test_services_simulators_and_the_command_have_images() -> None:
    without_library = {name for name, folder in MEMBERS.items() if folder.parent.name in ("services", "simulators")}
    assert set(IMAGES) == {*without_library, "threadworks"}


@pytest.mark.parametrize("name", IMAGES)
def test_it_installs_the_members_that_it_needs(name: str) -> None:
    copied = re.findall(r"^COPY (\S+) \./(\S+)$", text(name), re.MULTILINE)
    members = [source for source, target in copied if target != "lock.txt"]
    assert all(source == target for source, target in copied if target != "lock.txt")
    assert {ROOT / each for each in members} == with_members_below(name)
    installed = re.search(r'"--target", "/opt/members", (.+)\]$', text(name), re.MULTILINE)
    assert installed is not None
    assert installed[1].split(", ") == [f'"./{each}"' for each in members]


@pytest.mark.parametrize("name", IMAGES)
def test_it_installs_its_own_lock_with_hashes_and_the_uv_of_the_makefile(name: str) -> None:
    assert f"COPY locks/{name}.txt ./lock.txt" in text(name)
    assert '"sync", "--python", "/opt/threadworks", "--require-hashes", "lock.txt"]' in text(name)
    (version,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f'"uv=={version}"]' in text(name)


@pytest.mark.parametrize("name", IMAGES)
def test_the_last_stage_copies_two_layers_and_runs_as_nobody(name: str) -> None:
    steps = last_stage(name)
    assert [value for instruction, value in steps if instruction == "COPY"] == [
        "--from=lock /opt/threadworks /opt/threadworks",
        "--from=members /opt/members /opt/threadworks/lib/python${PYTHON}/site-packages",
    ]
    # The only thing that is done there takes the installer of the base image away.
    assert [value for instruction, value in steps if instruction == "RUN"] == [
        "rm -rf /usr/local/bin/pip* /usr/local/lib/python${PYTHON}/site-packages/pip*"
    ]
    assert [value for instruction, value in steps if instruction == "USER"] == ["10001:10001"]
    assert [instruction for instruction, _ in steps][-1] == "ENTRYPOINT"


@pytest.mark.parametrize("name", IMAGES)
def test_it_names_the_official_image_and_no_other_address(name: str) -> None:
    bases = [value for instruction, value in instructions(name) if instruction == "FROM"]
    assert bases == ["python:${PYTHON}-slim AS lock", "lock AS members", "python:${PYTHON}-slim"]
    assert "://" not in text(name)
    assert not re.search(r"\b[a-z0-9-]+\.(io|com|org|dev|net)\b", text(name))


def test_the_builder_is_given_what_images_are_made_of() -> None:
    assert in_context("libs/run-engine")
    assert not in_context("tests/e2e")
    assert not in_context(".venv/bin")
    assert {"tests", "__pycache__"} <= set(left_out())


@pytest.mark.parametrize("step", [("ADD", "x /x"), ("VOLUME", "/x"), ("SHELL", '["/bin/bash"]')])
def test_a_step_that_is_not_known_is_not_passed_over(step: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not known here"):
        follow(Stage(tmp_path), *step, {}, {}, Path("uv"))


def test_a_copy_of_what_is_left_out_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"left out by \.dockerignore"):
        follow(Stage(tmp_path), "COPY", "tests ./tests", {}, {}, Path("uv"))


def test_a_program_other_than_uv_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="apt-get"):
        follow(Stage(tmp_path), "RUN", '["apt-get", "install", "gcc"]', {}, {}, Path("uv"))
