"""`python -m run_orchestrator` as a process: on a real Kafka, with signals and exit codes, and no secret in its log."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
from event_bus.kafka import KafkaBus, KafkaSettings
from event_bus.kafka_admin import ensure_topics
from message_contracts import catalogue

MODULE = [sys.executable, "-m", "run_orchestrator"]


def environment(**settings: str) -> dict[str, str]:
    """Ours without what may be set on this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("THREADWORKS_", "OPENAI_"))}
    return kept | settings


async def ended(**settings: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *MODULE, env=environment(**settings), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


async def test_missing_settings_are_named_in_one_line() -> None:
    code, output = await ended()
    assert code == 2
    assert len(output.splitlines()) == 1
    for name in ("THREADWORKS_KAFKA_BOOTSTRAP", "THREADWORKS_DATABASE_URL", "OPENAI_API_KEY"):
        assert f" {name} is not set" in output


async def test_wrong_settings_are_named_without_their_value() -> None:
    code, output = await ended(
        THREADWORKS_KAFKA_BOOTSTRAP="127.0.0.1:1",
        THREADWORKS_DATABASE_URL="postgresql://x",
        OPENAI_API_KEY="",
        OPENAI_BASE_URL="not-an-address-secret",
        THREADWORKS_PLACES="many-secret",
    )
    assert code == 2
    assert len(output.splitlines()) == 1
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "THREADWORKS_PLACES"):
        assert name in output
    assert "secret" not in output


class Process:
    """A running orchestrator and what it has logged."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self._changed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def logged(self, action: str) -> dict[str, Any]:
        async def found() -> dict[str, Any]:
            async with self._changed:
                await self._changed.wait_for(lambda: any(line.get("action") == action for line in self.lines))
            return next(line for line in self.lines if line.get("action") == action)

        return await asyncio.wait_for(found(), 60)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), 60)
        await self._reading
        return code

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._changed:
                self.raw.append(line.decode())
                self.lines.append(orjson.loads(line) if line.startswith(b"{") else {})
                self._changed.notify_all()


@asynccontextmanager
async def running(**settings: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *MODULE, env=environment(**settings), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    running_process = Process(process)
    try:
        yield running_process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def get(port: int, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{path}") as reply:
        return reply.status, orjson.loads(await reply.read())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_without_a_database_it_waits_says_so_and_can_be_stopped(number: signal.Signals) -> None:
    async with running(
        THREADWORKS_KAFKA_BOOTSTRAP="127.0.0.1:1",
        THREADWORKS_DATABASE_URL="postgresql://user:the-password-of-the-database@127.0.0.1:1/x",
        OPENAI_API_KEY="sk-the-key-of-the-model-server",
        THREADWORKS_LOG_FORMAT="json",
        THREADWORKS_LOG_LEVEL="debug",
    ) as process:
        await process.logged("database_waiting")
        port = (await process.logged("ops_started"))["ops_port"]
        assert (await get(port, "/healthz"))[0] == 200
        status, told = await get(port, "/readyz")
        assert status == 503
        assert told["missing"]["database"] == "not connected yet"
        assert await process.stop(number) == 0
        log = "".join(process.raw)
        assert "the-password-of-the-database" not in log
        assert "sk-the-key-of-the-model-server" not in log


async def test_on_a_real_kafka(
    own_kafka: Any,
    fresh_database: Callable[..., Awaitable[str]],
    migrated_database: str,
    model: Any,
    stage_on: Callable[..., Any],
    key: str,
) -> None:
    url = await fresh_database(template=migrated_database)
    kafka = KafkaSettings(bootstrap_servers=own_kafka.bootstrap_servers, client_id="stage")
    await ensure_topics(kafka, [*catalogue.topics(), catalogue.tool_calls_topic("moodle")], replication_factor=1)
    bus = KafkaBus(kafka)
    await bus.start()
    async with (
        stage_on(url, bus) as stage,
        running(
            THREADWORKS_KAFKA_BOOTSTRAP=own_kafka.bootstrap_servers,
            THREADWORKS_DATABASE_URL=url,
            OPENAI_BASE_URL=model.base_url,
            OPENAI_API_KEY=key,
            OPENAI_LOG="debug",
            THREADWORKS_TOOL_SERVICES="moodle",
            THREADWORKS_LOG_FORMAT="json",
            THREADWORKS_LOG_LEVEL="debug",
            THREADWORKS_DRAIN_SECONDS="2",
            # Every refusal, and every way in which a key could get into a log.
            THREADWORKS_MODEL_TRIES="2",
        ) as process,
    ):
        await stage.announce("moodle")
        port = (await process.logged("ops_started"))["ops_port"]
        course = "get_moodle_course_content"
        run = await stage.start_run("termine in kurs 51589, bitte", functions=[course])
        (asked,) = await stage.calls_of(run, 1)
        await stage.answer(asked, "Klausur am 12.03.2025, ein-geheimnis-im-ergebnis")
        await stage.until_status(run, "completed")
        assert await get(port, "/readyz") == (200, {"missing": {}})

        leaky = {"error": {"message": f"Incorrect API key provided: {key}", "code": "invalid_api_key"}}
        for status in (401, 400, 500):
            await stage.model.script({"status": status, "body": leaky, "times": 2, "match": f"frage {status}"})
        for status in (401, 400, 500):
            failed = await stage.until_status(await stage.start_run(f"frage {status}"), "failed", "completed")
            assert key not in orjson.dumps(failed.last_error).decode()

        await stage.model.script({"steps": ["half", {"gate": "held"}]})
        held = await stage.start_run("was anderes")
        await stage.model.wait(gate="held")
        assert await process.stop() == 0
        assert (await stage.read(held)).status == "queued"

    log = "".join(process.raw)
    assert "run_driven" in log
    for secret in (key, "geheimnis", "kurs 51589", "Bearer"):
        assert secret not in log, f"{secret} is in the log"
    assert [line for line in process.lines if line.get("level") == "error"] == []
