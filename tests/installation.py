"""A whole Threadworks, started as a user starts it, for the tests across services."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import psutil
from openai import AsyncOpenAI
from threadworks import demo

START_SECONDS = 120.0
STOP_SECONDS = 120.0
# A test is told what it needs; whatever the machine has set must not leak in.
_NOT_INHERITED = ("OPENAI_", "THREADWORKS_", "GATEWAYS", "ORCHESTRATORS", "MOODLE_TOOLS")


class Installation:
    """`threadworks run` or `threadworks up` in a data folder of its own."""

    def __init__(self, mode: str, data_dir: Path, environment: Mapping[str, str] | None = None) -> None:
        self.mode = mode
        self.data_dir = data_dir
        self.url = ""
        self.kafka = ""
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)},
            "THREADWORKS_DATA_DIR": str(data_dir),
            "THREADWORKS_PORT": "0",
            "THREADWORKS_LOG_FORMAT": "json",
            "THREADWORKS_LOG_LEVEL": "debug",
            **(environment or {}),
        }
        self._process: asyncio.subprocess.Process | None = None
        self._clients: list[AsyncOpenAI] = []
        self.output: list[str] = []
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Returns when the ready line was printed."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "installation.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "threadworks",
                self.mode,
                env=self._environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        ready = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(ready))
        async with asyncio.timeout(START_SECONDS):
            await ready

    async def _read(self, ready: asyncio.Future[None]) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode().rstrip()
            self.output.append(text)
            if found := re.match(r"Kafka is at (\S+);", text):
                self.kafka = found[1]
            if found := re.match(r"ready url=(\S+) key=(\S+) assistant=(\S+)", text):
                self.url = found[1]
                ready.set_result(None)
        if not ready.done():
            ready.set_exception(RuntimeError(f"threadworks {self.mode} ended: {self.output} {self.logs()[-3000:]}"))

    def client(self, key: str = demo.KEY) -> AsyncOpenAI:
        """The official SDK, pointed at this installation; closed with it."""
        client = AsyncOpenAI(base_url=self.url, api_key=key, max_retries=0)
        self._clients.append(client)
        return client

    def processes(self, module: str) -> list[psutil.Process]:
        """The running processes of one of our modules, or of Kafka's or PostgreSQL's program."""
        return [
            process
            for process in psutil.Process(self.pid).children(recursive=True)
            if any(module in word for word in process.cmdline())
        ]

    def logs(self) -> str:
        """Everything that any part has written."""
        files = [self.data_dir / "installation.log", *sorted(self.data_dir.glob("logs/*.log"))]
        return "\n".join([*self.output, *(file.read_text(errors="replace") for file in files if file.exists())])

    def log_lines(self) -> list[dict[str, Any]]:
        """Everything that any part has written in JSON."""
        return [orjson.loads(line) for line in self.logs().splitlines() if line.startswith("{")]

    def ops_ports(self) -> dict[int, str]:
        """The ops ports that processes have opened, with the service of each."""
        opened = (line for line in self.log_lines() if line.get("action") == "ops_started")
        return {line["ops_port"]: line["service"] for line in opened}

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Asks for the end as a terminal or Kubernetes does; gives the exit code."""
        if self._process is None:
            return 0
        while self._clients:
            await self._clients.pop().close()
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(STOP_SECONDS):
            code = await self._process.wait()
        if self._reading is not None:
            await self._reading
        return code


class StartUp:
    """Starts `threadworks up` with what a test holds in its hands; `started` is what it has to stop again."""

    def __init__(self, data_dir: Path, environment: Mapping[str, str]) -> None:
        self._data_dir = data_dir
        self._environment = environment
        self.started: list[Installation] = []

    async def __call__(self, **environment: str) -> Installation:
        installation = Installation("up", self._data_dir, {**self._environment, **environment})
        self.started.append(installation)
        await installation.start()
        return installation
