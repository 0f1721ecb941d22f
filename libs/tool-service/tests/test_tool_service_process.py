"""A third party's program: twenty lines that run as a process, wait for Kafka, and end cleanly."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import orjson
import pytest

PROGRAM = """
from typing import Annotated

from pydantic import Field
from tool_service import ToolError, ToolService
from tool_service.process import run

service = ToolService(name="library")
SHELVES = {"Java": 7}


@service.function(timeout=10)
async def find_book(title: Annotated[str, Field(description="Title or a part of it.")]) -> str:
    "Finds a book of the library and tells where it stands."
    if title not in SHELVES:
        raise ToolError("not_found", f"The library has no book called {title}.")
    return f"{title} stands on shelf {SHELVES[title]}."


if __name__ == "__main__":
    run(service)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "library.py"
    path.write_text(PROGRAM)
    return path


def environment(**settings: str) -> dict[str, str]:
    cleared = {name: value for name, value in os.environ.items() if not name.startswith("THREADWORKS_")}
    return cleared | {f"THREADWORKS_{name}": value for name, value in settings.items()}


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_without_kafka_it_waits_and_says_so_and_a_signal_ends_it_with_0(program: Path, number: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        env=environment(KAFKA_BOOTSTRAP=f"127.0.0.1:{unused_port()}", LOG_FORMAT="json"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            async for line in process.stderr:
                event = orjson.loads(line)
                if event.get("action") == "started":
                    break
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{event['ops_port']}") as ops:
                assert (await ops.get("/healthz")).status_code == 200
                ready = await ops.get("/readyz")
            assert ready.status_code == 503
            assert "the functions of library are not announced yet" in ready.json()["missing"]["announcement"]
            process.send_signal(number)
            rest = await process.stderr.read()
            assert await process.wait() == 0, rest.decode()
        assert b'"action":"stopped"' in rest
        assert b"Traceback" not in rest
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_missing_setting_is_one_line_and_exit_code_2(program: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), env=environment(), stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert said.startswith(b"library cannot start: THREADWORKS_KAFKA_BOOTSTRAP is not set")
    assert said.count(b"\n") == 1


async def test_an_ops_port_that_is_taken_ends_it_with_1(program: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            env=environment(
                KAFKA_BOOTSTRAP=f"127.0.0.1:{unused_port()}",
                OPS_PORT=str(taken.getsockname()[1]),
                LOG_FORMAT="json",
            ),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert b'"action":"failed"' in said
