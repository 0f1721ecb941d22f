"""Does what a Dockerfile of ours says, step by step, without Docker: each stage is a folder, `/` is that folder.

Knows the few instructions that our files use and refuses any other, so that nothing is passed over. Two things differ
from Docker, both on purpose: the base image is this machine's Python (and its version takes the place of `ARG PYTHON`),
and `pip install uv` is taken as done, because uv is what the tests run with.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy/images"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_ABSOLUTE = re.compile(r"(?<![\w./:$])/(opt|build|usr/local)\b")


@dataclass
class Stage:
    """A stage of the file, built or to be run."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    directory: str = "/"
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    arguments: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    """What happened here, an instruction each, for assertions."""

    def place(self, path: str) -> Path:
        """Where a path of the image is on this machine."""
        return self.folder / path.removeprefix("/") if path.startswith("/") else self.place(self.directory) / path

    def inside(self, text: str) -> str:
        """A text with the image's folders replaced by those of this machine."""
        return _ABSOLUTE.sub(lambda found: str(self.folder) + found[0], text)


def instructions(name: str) -> list[tuple[str, str]]:
    """The instructions of an image's file, with their arguments."""
    parser = DockerfileParser(path=str(FOLDER / f"{name}.Dockerfile"), cache_content=True)
    return [(each["instruction"], each["value"]) for each in parser.structure if each["instruction"] != "COMMENT"]


def build(name: str, folder: Path, uv: Path) -> Stage:
    """Build an image in a folder and return its last stage."""
    stages: dict[str, Stage] = {}
    given: dict[str, str] = {}
    current: Stage | None = None
    for instruction, value in instructions(name):
        if instruction == "ARG" and current is None:
            key, _, _ = value.partition("=")
            given[key] = {"PYTHON": PYTHON}[key]
        elif instruction == "FROM":
            current = _begin(value, given, stages, folder)
        elif current is None:
            raise AssertionError(f"{instruction} before FROM")
        else:
            follow(current, instruction, value, given, stages, uv)
            current.done.append(f"{instruction} {value}")
    assert current is not None
    return current


def _begin(value: str, given: dict[str, str], stages: dict[str, Stage], folder: Path) -> Stage:
    base, _, name = _filled(value, given).partition(" AS ")
    stage = Stage(folder / (name or "last"))
    if base in stages:
        parent = stages[base]
        _merge(parent.folder, stage.folder)
        stage.environment, stage.directory = dict(parent.environment), parent.directory
    else:
        assert base == f"python:{PYTHON}-slim", base
        stage.folder.mkdir(parents=True)
    stages[name] = stage
    return stage


def follow(
    stage: Stage, instruction: str, value: str, given: dict[str, str], stages: dict[str, Stage], uv: Path
) -> None:
    """Do one instruction of a stage."""
    if instruction == "ARG":
        stage.arguments[value] = given[value]
    elif instruction == "ENV":
        for word in shlex.split(value):
            key, _, text = word.partition("=")
            stage.environment[key] = text
    elif instruction == "WORKDIR":
        stage.directory = value
        stage.place(value).mkdir(parents=True, exist_ok=True)
    elif instruction == "COPY":
        _copy(stage, _filled(value, stage.arguments), stages)
    elif instruction == "RUN":
        _run(stage, _filled(value, stage.arguments), uv)
    elif instruction == "USER":
        stage.user = value
    elif instruction == "ENTRYPOINT":
        stage.entrypoint = json.loads(value)
    elif instruction != "EXPOSE":
        raise AssertionError(f"{instruction}: not known here")


def _copy(stage: Stage, value: str, stages: dict[str, Stage]) -> None:
    words = value.split()
    if words[0].startswith("--from="):
        source = stages[words[0].removeprefix("--from=")].place(words[1])
        _merge(source, stage.place(words[2]))
        return
    source, target = ROOT / words[0], stage.place(words[1])
    assert in_context(words[0]), f"{words[0]} is left out by .dockerignore"
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*left_out()))
    else:
        shutil.copyfile(source, target)


def _run(stage: Stage, value: str, uv: Path) -> None:
    if not value.startswith("["):
        subprocess.run(["/bin/sh", "-c", stage.inside(value)], check=True, cwd=stage.place(stage.directory))
        return
    command = json.loads(value)
    if command[:2] == ["pip", "install"]:
        assert [word.partition("==")[0] for word in command[2:] if not word.startswith("-")] == ["uv"]
        return
    assert command[0] == "uv", value
    python = ["--python", sys.executable] if command[1] == "venv" else []
    _quietly([str(uv), *(stage.inside(word) for word in command[1:]), *python], stage)


def _quietly(command: list[str], stage: Stage) -> None:
    environment = {**_clean(), **stage.environment}
    done = subprocess.run(
        command, cwd=stage.place(stage.directory), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def start(stage: Stage, *arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Run what the image runs, in its environment and in nothing else of ours."""
    return subprocess.Popen(
        [_program(stage), *stage.entrypoint[1:], *arguments],
        env={**running_environment(stage), **environment},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def running_environment(stage: Stage) -> dict[str, str]:
    """The environment of a container of this image."""
    path = stage.inside(stage.environment["PATH"]).replace("$PATH", "/usr/bin:/bin")
    return {**_clean(), **stage.environment, "PATH": path}


def _program(stage: Stage) -> str:
    found = shutil.which(stage.entrypoint[0], path=running_environment(stage)["PATH"])
    assert found is not None
    assert found.startswith(str(stage.folder)), f"{found} is not the image's own"
    return found


def _clean() -> dict[str, Any]:
    kept = ("HOME", "PATH", "TMPDIR", "LANG", "UV_CACHE_DIR", "SSL_CERT_FILE")
    kept_too = ("UV_INDEX", "UV_DEFAULT_INDEX", "PIP_INDEX_URL", "UV_HTTP", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    return {key: value for key, value in os.environ.items() if key in kept or key.upper().startswith(kept_too)}


def _filled(value: str, arguments: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], value)


def _merge(source: Path, target: Path) -> None:
    """Lay a tree over another, as a layer does. Files are linked: nobody changes them."""
    for folder, folders, files in os.walk(source):
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for name in [*files, *(each for each in folders if (Path(folder) / each).is_symlink())]:
            if not (place / name).is_symlink() and not (place / name).exists():
                os.link(Path(folder) / name, place / name, follow_symlinks=False)


def _ignore_file() -> Iterator[str]:
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            yield line


def in_context(path: str) -> bool:
    """Whether .dockerignore lets a path through to the builder."""
    lines = list(_ignore_file())
    assert lines[0] == "*"
    return f"!{path.split('/', maxsplit=1)[0]}" in lines


def left_out() -> list[str]:
    """Names that .dockerignore leaves out at every depth."""
    return [line.removeprefix("**/") for line in _ignore_file() if line.startswith("**/")]
