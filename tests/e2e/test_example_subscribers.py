"""The programs in examples/subscribers follow the runs of `threadworks up`, as their README says."""

import asyncio
import os
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from installation import Installation
from message_contracts import Message, codec
from message_contracts.examples import examples
from node_programs import NodePrograms, NoNode
from threadworks import demo
from threadworks.local_servers.kafka_for_tests import missing_is_failure

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "subscribers"
TOPIC = "threadworks.run-events.v1"
PATIENCE = 60.0
LIFE = ["queued", "in_progress", "awaiting_tools", "queued", "in_progress", "completed"]


class Program:
    """A running subscriber, and the lines that it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[list[str]] = []

    async def until(self, *words: str) -> None:
        """Read lines to the first that has all these words."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while not self.lines or not set(words) <= set(self.lines[-1]):
                line = await self._process.stdout.readline()
                assert line, "it has ended"
                self.lines.append(line.decode().split())

    def of(self, run_id: str) -> list[list[str]]:
        return [line for line in self.lines if run_id in line]


def command(language: str) -> list[str]:
    if language == "python":
        return [sys.executable, str(FOLDER / "python" / "subscriber.py")]
    try:
        NodePrograms(FOLDER / "node").install()
    except NoNode as error:
        if missing_is_failure(os.environ):
            raise
        pytest.skip(f"no kafkajs: {error}")
    return [str(shutil.which("node")), str(FOLDER / "node" / "subscriber.mjs")]


@asynccontextmanager
async def running(language: str, kafka: str, group: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *command(language),
        env={**os.environ, "KAFKA": kafka, "GROUP": group, "KAFKAJS_NO_PARTITIONER_WARNING": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Program(process)
    finally:
        process.terminate()
        await process.wait()


async def publish(kafka: str, *messages: Message) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for message in messages:
            value, headers = codec.encode(message)
            await producer.send_and_wait(TOPIC, value, key=b"thread_of_examples", headers=list(headers))
    finally:
        await producer.stop()


def queued(run_id: str, seq: int) -> Message:
    data: Any = next(each.data for each in examples() if each.valid and each.type == "threadworks.run.queued.v1")
    return Message(
        type="threadworks.run.queued.v1",
        source="/threadworks/gateway",
        subject=run_id,
        tenant="tenant_of_examples",
        data={"run": {**data["run"], "id": run_id}},
        id=uuid.uuid4().hex,
        time=datetime.now(UTC),
        seq=seq,
    )


@pytest.mark.parametrize("language", ["python", "node"])
async def test_it_shows_each_event_of_a_run_once_and_goes_on_where_it_was(
    installation: Installation, language: str
) -> None:
    if installation.mode != "up":
        pytest.skip("`threadworks run` has no Kafka: its bus is in the process")
    client = installation.client()

    async def run() -> str:
        done = await client.beta.threads.create_and_run_poll(
            assistant_id=demo.ASSISTANT,
            thread={"messages": [{"role": "user", "content": "gib mir die termine von moodle"}]},
        )
        return done.id

    group, kafka = f"example-{uuid.uuid4()}", installation.kafka
    first, again = await run(), queued(f"run_{uuid.uuid4().hex}", 1)
    later = queued(again.subject, 2)
    async with running(language, kafka, group) as program:
        await program.until(first, "completed")
        shown = {line[1]: line for line in program.of(first)}
        assert [line[3] for line in program.of(first)] == LIFE
        assert len(shown) == len(LIFE), "each has its own seq"
        assert program.of(first)[-1][0] == "threadworks.run.completed.v1"
        await publish(kafka, again, again, later)
        await program.until(again.subject, "2")
        assert [line[1] for line in program.of(again.subject)] == ["1", "2"]
        last = await run()
        await program.until(last, "completed")
    missed = await run()
    async with running(language, kafka, group) as program:
        await program.until(missed, "completed")
        assert [line[3] for line in program.of(missed)] == LIFE
        assert program.of(first) == []


@pytest.mark.parametrize("path", ["python/subscriber.py", "node/subscriber.mjs"])
def test_an_example_is_short(path: str) -> None:
    assert len((FOLDER / path).read_text().splitlines()) < 40
