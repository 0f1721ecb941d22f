"""What each Dockerfile builds is built here without Docker, step by step, and works: it starts, is healthy, passes its
unit tests and stops when it is told to, with nothing but its own lock and its own members.
"""

import ast
import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from dockerfile_steps import FOLDER, PYTHON, ROOT, Stage, build, running_environment, start
from packaging.utils import canonicalize_name
from run_engine.store.migrate import migrate
from threadworks.local_servers.kafka_for_tests import Broker

IMAGES = sorted(path.name.removesuffix(".Dockerfile") for path in FOLDER.glob("*.Dockerfile"))
SERVICES = ("gateway", "run-orchestrator", "moodle-tool")
SIMULATORS = ("model-simulator", "moodle-simulator")
FOLDERS = {"model-simulator": "simulators/model", "moodle-simulator": "simulators/moodle", "threadworks": "cli"}
LOCAL_PART = re.compile(r"threadworks\.(local_servers|supervisor|all_in_one|separate_processes)\b")
"""Modules of the command that need the extra `local`, which its image has not."""
TEST_TOOLS = (
    "pytest",
    "pygments",
    "pytest-asyncio",
    "pytest-timeout",
    "hypothesis",
    "pluggy",
    "iniconfig",
    "sortedcontainers",
)
TEST_FOLDERS = ("libs/run-engine/tests", "tests")

PATIENCE = 60.0

Image = Callable[[str], Stage]


@pytest.fixture(scope="session")
def uv() -> Path:
    found = shutil.which("uv")
    return Path(found) if found else ROOT / ".uv/bin/uv"


@pytest.fixture(scope="module")
def image(uv: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """`image("gateway")` is that image, built once."""
    built: dict[str, Stage] = {}

    def get(name: str) -> Stage:
        if name not in built:
            built[name] = build(name, tmp_path_factory.mktemp(name), uv)
        return built[name]

    return get


def packages_of() -> Path:
    return Path(f"opt/threadworks/lib/python{PYTHON}/site-packages")


def run(stage: Stage, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in the image."""
    python = stage.folder / "opt/threadworks/bin/python"
    return subprocess.run(
        [python, "-P", *arguments],
        env={**running_environment(stage), **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def written(stage: Stage) -> dict[str, tuple[int, int]]:
    """Every file of the image with its size and the time of its last change."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in sorted(stage.folder.rglob("*"))
        if not path.is_dir()
    }


@pytest.mark.parametrize("name", IMAGES)
def test_the_image_has_its_lock_and_its_members_and_nothing_else(name: str, image: Image) -> None:
    stage = image(name)
    listed = run(stage, "-c", "import importlib.metadata as m; print(*[d.name for d in m.distributions()])")
    found = {canonicalize_name(each) for each in listed.stdout.split()}
    lock = (ROOT / f"locks/{name}.txt").read_text()
    pinned = {canonicalize_name(each) for each in re.findall(r"^([A-Za-z0-9._-]+)", lock, re.MULTILINE)}
    members = {"message-contracts" if each == "contracts" else Path(each).name for each in members_in(stage)}
    ours = {{"model": "model-simulator", "moodle": "moodle-simulator", "cli": "threadworks"}.get(m, m) for m in members}
    assert ours <= found
    assert found - ours <= pinned
    assert not found & {"pip", "setuptools", "uv", "wheel"}


def members_in(stage: Stage) -> list[str]:
    """Folders of the members that the file copies."""
    text = (FOLDER / f"{stage.folder.parent.name.rstrip('0123456789')}.Dockerfile").read_text()
    return [source for source in re.findall(r"^COPY (\S+) \./", text, re.MULTILINE) if not source.startswith("locks/")]


@pytest.mark.parametrize("name", IMAGES)
def test_every_module_of_its_members_can_be_imported(name: str, image: Image) -> None:
    script = (
        "import importlib, json, pkgutil, sys\n"
        "failed = {}\n"
        "for package in sys.argv[1:]:\n"
        "    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + '.'):\n"
        "        if found.name.endswith('__main__'): continue\n"
        "        try: importlib.import_module(found.name)\n"
        "        except ImportError as error: failed[found.name] = str(error)\n"
        "print(json.dumps(failed))"
    )
    stage = image(name)
    done = run(stage, "-c", script, *(package_in(member) for member in members_in(stage)))
    assert done.returncode == 0, done.stderr
    failed = json.loads(done.stdout)
    assert {module: why for module, why in failed.items() if not LOCAL_PART.match(module)} == {}


def package_in(member: str) -> str:
    """The import package of a member."""
    (package,) = {path.parent.name for path in (ROOT / member).glob("*/py.typed")}
    return package


class Running:
    """A service in its image."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[dict[str, Any]] = []
        # Whoever reads the log waits for its end at the longest.
        self.limit = threading.Timer(PATIENCE, process.kill)
        self.limit.start()

    def wait_for(self, action: str) -> dict[str, Any]:
        """Read the log up to a line with that action."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(json.loads(line))
            if self.log[-1].get("action") == action:
                return self.log[-1]
        raise AssertionError(f"it has ended: {self.log}")

    def stop(self) -> int:
        """SIGTERM, as Kubernetes sends it; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


@pytest.fixture
def started() -> Iterator[Callable[..., Running]]:
    """`started(stage, *arguments, **settings)`; what is still there at the end is killed."""
    running: list[Running] = []

    def begin(stage: Stage, *arguments: str, **settings: str) -> Running:
        running.append(Running(start(stage, *arguments, environment=settings)))
        return running[-1]

    yield begin
    for each in running:
        each.limit.cancel()
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()


def answer(port: int, path: str) -> int:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
            return int(reply.status)
    except HTTPError as refused:
        return refused.code


async def ready(port: int) -> bool:
    """Ask /readyz as a probe does, until it is so."""
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(answer, port, "/readyz") != 200:
            await asyncio.sleep(0.1)
    return True


@pytest.mark.parametrize("name", SERVICES)
async def test_the_service_starts_is_healthy_and_stops(
    name: str, image: Image, started: Callable[..., Running], database_url: str, own_kafka: Broker
) -> None:
    await migrate(database_url)
    command = image("threadworks")
    kafka = {"THREADWORKS_KAFKA_BOOTSTRAP": own_kafka.bootstrap_servers}
    topics = started(command, "topics", "apply", "--replication-factor=1", **kafka)
    said, _ = await asyncio.to_thread(topics.process.communicate, timeout=PATIENCE)
    assert topics.process.returncode == 0
    assert "created threadworks.messages.v1" in said

    stage = image(name)
    before = written(stage)
    service = started(
        stage,
        **kafka,
        THREADWORKS_LOG_FORMAT="json",
        THREADWORKS_DATABASE_URL=database_url,
        THREADWORKS_PORT="0",
        THREADWORKS_DATA_DIR=str(stage.folder.parent / "data"),
        THREADWORKS_TOOL_SERVICES="",
        THREADWORKS_MOODLE_BASE_URL="http://127.0.0.1:1",
        THREADWORKS_MOODLE_TOKEN="token-of-nobody",
        OPENAI_API_KEY="sk-nobody",
        OPENAI_BASE_URL="http://127.0.0.1:1/v1",
    )
    port = int((await asyncio.to_thread(service.wait_for, "ops_started"))["ops_port"])
    assert await asyncio.to_thread(answer, port, "/healthz") == 200
    await asyncio.to_thread(service.wait_for, "started")
    assert await ready(port)
    assert await asyncio.to_thread(answer, port, "/metrics") == 200
    assert await asyncio.to_thread(service.stop) == 0
    assert written(stage) == before, "it wrote into its own file system"


@pytest.mark.parametrize("name", SIMULATORS)
async def test_the_simulator_starts_and_stops(name: str, image: Image, started: Callable[..., Running]) -> None:
    stage = image(name)
    before = written(stage)
    simulator = started(stage, "--host=127.0.0.1", "--port=0", "--log-format=json")
    prefix = "model_" if name == "model-simulator" else ""
    line = await asyncio.to_thread(simulator.wait_for, f"{prefix}simulator_started")
    port = int(line["base_url"].removesuffix("/v1").rpartition(":")[2])
    path = "/v1/models" if name == "model-simulator" else "/webservice/rest/server.php"
    assert await asyncio.to_thread(answer, port, path) == 200
    assert await asyncio.to_thread(simulator.stop) == 0
    assert written(stage) == before


async def test_the_command_migrates_makes_keys_and_knows_that_it_cannot_run_servers(
    image: Image, started: Callable[..., Running], database_url: str
) -> None:
    async def command(*arguments: str) -> tuple[int, str, str]:
        process = started(image("threadworks"), *arguments, THREADWORKS_DATABASE_URL=database_url).process
        out, err = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
        return process.returncode, out, err

    assert (await command("migrate"))[0] == 0
    assert await command("migrate", "--wait") == (0, "the schema suits this version\n", "")
    code, key, _ = await command("keys", "create", "--tenant", "acme")
    assert (code, key.startswith("sk-threadworks-")) == (0, True)
    code, _, said = await command("run")
    assert code == 2
    assert "install threadworks[local]" in said


@pytest.fixture(scope="module")
def test_tools(uv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pytest and its plugins, as locked, to be laid beside an image."""
    folder = tmp_path_factory.mktemp("test-tools")
    lock = (ROOT / "locks/all.txt").read_text()
    pins = [re.search(rf"^{name}==\S+", lock, re.MULTILINE) for name in TEST_TOOLS]
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", sys.executable, "--no-deps", "--target", folder]
        + [pin[0] for pin in pins if pin],
        check=True,
    )
    return folder


@pytest.mark.parametrize(("name", "fewest"), [("gateway", 40), ("run-orchestrator", 100), ("moodle-tool", 50)])
async def test_its_unit_tests_pass_in_the_image(name: str, fewest: int, image: Image, test_tools: Path) -> None:
    stage = image(name)
    files = unit_tests(ROOT / "services" / name / "tests", stage)
    done = await asyncio.to_thread(
        run,
        stage,
        *("-m", "pytest", "-p", "unit_tests_only", "--noconftest", "--quiet", "--no-header", *files),
        PYTHONPATH=f"{test_tools}:{Path(__file__).parent}",
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= fewest, done.stdout[-500:]


def unit_tests(folder: Path, stage: Stage) -> list[str]:
    """Test files that import nothing but what the image has, the test tools, and helpers that stand beside tests."""
    known = set(sys.stdlib_module_names) | {path.name for path in (stage.folder / packages_of()).iterdir()}
    known |= {path.stem.split(".")[0] for path in (stage.folder / packages_of()).iterdir()}
    known |= {tool.replace("-", "_") for tool in TEST_TOOLS}
    beside = {path.stem: path for each in TEST_FOLDERS for path in (ROOT / each).glob("*.py")}
    beside |= {path.stem: path for path in folder.glob("*.py")}

    def fits(path: Path, seen: frozenset[Path] = frozenset()) -> bool:
        imported = imports(path)
        helpers = [beside[name] for name in imported & beside.keys() if beside[name] not in seen]
        return imported <= known | beside.keys() and all(fits(each, seen | {path}) for each in helpers)

    return [str(path) for path in sorted(folder.glob("test_*.py")) if fits(path)]


def imports(path: Path) -> set[str]:
    """First names of the modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names
