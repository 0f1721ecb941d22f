"""A tool service as a process on a real Kafka: killed in the middle of a call, it answers after its restart."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import orjson
import pytest
from event_bus import Message, OutgoingRecord
from event_bus.kafka import KafkaBus, KafkaSettings
from event_bus.kafka_admin import ensure_topics
from message_contracts import catalogue, codec
from threadworks.local_servers.kafka_for_tests import Broker

T = TypeVar("T")

# The function tells that it was begun, and ends when the test lets it.
PROGRAM = """
import asyncio
import os
from pathlib import Path

from tool_service import ToolService
from tool_service.process import run

folder = Path(os.environ["FOLDER"])
service = ToolService(name=os.environ["SERVICE"])


@service.function(timeout=60)
async def look(shelf: str) -> str:
    "Looks at a shelf."
    with (folder / "executed").open("a") as executed:
        executed.write(f"{shelf} by {os.getpid()}\\n")
    while not (folder / "open").exists():
        await asyncio.sleep(0.02)
    return f"seen {shelf}"


run(service)
"""


class Caller:
    """Publishes calls of one service and collects their answers."""

    def __init__(self, bus: KafkaBus, service: str) -> None:
        self._bus = bus
        self._service = service
        self.answers: asyncio.Queue[Message] = asyncio.Queue()
        self.announced = asyncio.Event()

    async def start(self) -> None:
        await self._bus.subscribe(
            group=f"caller-of-{self._service}",
            topics=["threadworks.tool-results.v1"],
            handlers={"threadworks.tool-call.completed.v1": self._answered},
            service="test",
        )
        await self._bus.follow(
            topic="threadworks.tool-services.v1",
            handlers={"threadworks.tool-service.announced.v1": self._heard},
        )

    async def call(self, call_id: str, shelf: str) -> None:
        now = datetime.now(UTC)
        message = Message(
            type="threadworks.tool-call.requested.v1",
            source="/threadworks/run-orchestrator",
            subject=call_id,
            tenant="tenant_1",
            data={
                "tool_call": {
                    "id": call_id,
                    "run_id": "run_1",
                    "step_id": "step_1",
                    "thread_id": "thread_1",
                    "service": self._service,
                    "name": "look",
                    "arguments": orjson.dumps({"shelf": shelf}).decode(),
                    "created_at": now.isoformat(),
                    "deadline": (now + timedelta(seconds=60)).isoformat(),
                }
            },
            id=str(uuid.uuid4()),
            time=now,
        )
        encoded = codec.encode(message)
        topic = catalogue.topic_of(message.type, service=self._service)
        record = OutgoingRecord(topic=topic, key=call_id.encode(), value=encoded.value, headers=encoded.headers)
        assert await self._bus.publisher.publish([record]) == [None]

    async def _answered(self, message: Message) -> None:
        if message.source.endswith(self._service):
            await self.answers.put(message)

    async def _heard(self, message: Message) -> None:
        if message.subject == self._service:
            self.announced.set()


@asynccontextmanager
async def process_of(service: str, folder: Path, kafka: Broker) -> AsyncIterator[asyncio.subprocess.Process]:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    environment = os.environ | {
        "THREADWORKS_KAFKA_BOOTSTRAP": kafka.bootstrap_servers,
        "SERVICE": service,
        "FOLDER": str(folder),
    }
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, str(program), env=environment, stderr=log)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def while_running(process: asyncio.subprocess.Process, folder: Path, wanted: Awaitable[T]) -> T:
    """Wait for something that the process has to bring about; fail with its log if it ends instead."""
    waiting, ended = asyncio.ensure_future(wanted), asyncio.ensure_future(process.wait())
    await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    if not waiting.done():
        waiting.cancel()
        pytest.fail(f"the service ended with {process.returncode}: {(folder / 'log').read_text()}")
    return waiting.result()


@asynccontextmanager
async def connected(settings: KafkaSettings) -> AsyncIterator[KafkaBus]:
    bus = KafkaBus(settings)
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


async def executions(folder: Path, count: int) -> list[str]:
    """Wait until the function was begun this often."""
    executed = folder / "executed"
    while not executed.exists() or len(executed.read_text().splitlines()) < count:
        await asyncio.sleep(0.02)
    return executed.read_text().splitlines()


async def test_killed_in_the_middle_of_a_call_it_answers_once_after_its_restart(kafka: Broker, tmp_path: Path) -> None:
    service = f"shelves-{uuid.uuid4().hex[:12]}"
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, client_id="test")
    await ensure_topics(settings, [*catalogue.topics(), catalogue.tool_calls_topic(service)], replication_factor=1)
    async with asyncio.timeout(120), connected(settings) as bus:
        caller = Caller(bus, service)
        await caller.start()
        async with process_of(service, tmp_path, kafka) as killed:
            await while_running(killed, tmp_path, caller.announced.wait())
            await caller.call("call_1", "A")
            assert await while_running(killed, tmp_path, executions(tmp_path, 1)) == [f"A by {killed.pid}"]
            killed.kill()
            await killed.wait()
        assert caller.answers.empty()
        (tmp_path / "open").touch()
        async with process_of(service, tmp_path, kafka) as restarted:
            answer = await while_running(restarted, tmp_path, caller.answers.get())
            assert (answer.subject, answer.data["output"]) == ("call_1", "seen A")
            await caller.call("call_2", "B")
            second = await while_running(restarted, tmp_path, caller.answers.get())
            assert second.subject == "call_2", "call_1 was answered once"
            assert await executions(tmp_path, 3) == [
                f"A by {killed.pid}",
                f"A by {restarted.pid}",
                f"B by {restarted.pid}",
            ]
            restarted.terminate()
            assert await restarted.wait() == 0
