"""`threadworks dead-letters` on a real Kafka: what a consumer could not handle is listed, shown and sent again."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from event_bus import Message, OutgoingRecord
from event_bus.dead_letters import TOPIC as DEAD_LETTERS
from event_bus.kafka import KafkaBus, KafkaSettings
from event_bus.kafka_admin import ensure_topics
from event_bus.retries import RetryPolicy
from message_contracts import catalogue, codec
from threadworks.commands.topics import declared_topics
from threadworks.local_servers import LocalKafka

COMMANDS = "threadworks.run-commands.v1"
QUICK = RetryPolicy(failure_pauses=(0.01, 0.01, 0.01), unavailable_first=0.01, unavailable_limit=0.1)
PATIENCE = 30


def requested(run: str) -> Message:
    return Message(
        type="threadworks.run.requested.v1",
        source="/threadworks/gateway",
        subject=run,
        tenant="acme",
        data={"run": {"id": run, "thread_id": "thread_1"}},
        id=f"event-of-{run}",
        time=datetime.now(UTC),
    )


class Installation:
    """A broker with our topics, and one consumer of commands that a test can make fail."""

    def __init__(self, kafka: LocalKafka) -> None:
        self.kafka = kafka
        self.settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, client_id="test", commit_interval=0.05)
        self.failing = True
        self.handled: asyncio.Queue[str] = asyncio.Queue()
        self.failures: asyncio.Queue[str] = asyncio.Queue()
        self._bus = KafkaBus(self.settings, retries=QUICK)

    async def start(self) -> None:
        await ensure_topics(self.settings, declared_topics(["moodle"]), replication_factor=1)
        await self._bus.start()
        await self._bus.subscribe(
            group="run-orchestrator",
            topics=[COMMANDS],
            handlers={"threadworks.run.requested.v1": self._handle},
            service="run-orchestrator",
        )

    async def _handle(self, message: Message) -> None:
        if self.failing:
            self.failures.put_nowait(message.subject)
            raise RuntimeError("a secret that no log shows")
        self.handled.put_nowait(message.subject)

    async def send(self, *records: OutgoingRecord) -> None:
        assert await self._bus.publisher.publish(records) == [None] * len(records)

    async def send_message(self, run: str) -> None:
        encoded = codec.encode(requested(run))
        key = b"thread_1"
        await self.send(OutgoingRecord(topic=COMMANDS, key=key, value=encoded.value, headers=encoded.headers))

    async def letters(self, count: int) -> list[dict[str, object]]:
        """What `list --json` shows, once it shows this many."""
        async with asyncio.timeout(PATIENCE):
            while len(found := (await self.command("list", "--json")).stdout.splitlines()) < count:
                pass
        assert len(found) == count
        return [json.loads(line) for line in found]

    async def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return await command(*arguments, bootstrap=self.kafka.bootstrap_servers)

    async def stop(self) -> None:
        await self._bus.stop()


async def command(*arguments: str, bootstrap: str) -> subprocess.CompletedProcess[str]:
    def run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "THREADWORKS_KAFKA_BOOTSTRAP": bootstrap},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return await asyncio.to_thread(run, [sys.executable, "-m", "threadworks", "dead-letters", *arguments])


async def test_what_failed_is_listed_shown_and_sent_again(own_kafka: LocalKafka) -> None:
    there = Installation(own_kafka)
    await there.start()
    try:
        assert (await there.command("list")).stdout == "there are no dead letters\n"
        for run in ("run_1", "run_2"):
            await there.send_message(run)
        headers = codec.encode(requested("run_3")).headers
        await there.send(OutgoingRecord(topic=COMMANDS, key=b"thread_1", value=b'{"run": 1}', headers=headers))

        first, second, third = await there.letters(3)
        assert [letter["error_class"] for letter in (first, second, third)] == [
            "RuntimeError",
            "RuntimeError",
            "InvalidMessage",
        ]
        assert first["reason"] is None
        assert first["topic"] == COMMANDS
        assert first["type"] == "threadworks.run.requested.v1"
        assert first["service"] == "run-orchestrator"
        assert third["reason"]
        listed = (await there.command("list", "--error", "InvalidMessage")).stdout
        assert listed.startswith(f"{third['id']}  ")
        assert listed.count("\n") == 1

        shown = json.loads((await there.command("show", str(second["id"]))).stdout)
        assert shown["payload"] == {"run": {"id": "run_2", "thread_id": "thread_1"}}
        assert shown["headers"]["ce_id"] == "event-of-run_2"
        assert shown["key"] == "thread_1"

        there.failing = False
        replayed = await there.command("replay", str(second["id"]))
        assert (replayed.returncode, replayed.stdout) == (0, "replayed 1\n")
        assert await asyncio.wait_for(there.handled.get(), PATIENCE) == "run_2"
        assert [letter["id"] for letter in await there.letters(2)] == [first["id"], third["id"]]
        assert "(replayed)" in (await there.command("list", "--replayed")).stdout

        again = await there.command("replay", "--all", "--error", "RuntimeError")
        assert again.stdout == "replayed 1\n"
        assert await asyncio.wait_for(there.handled.get(), PATIENCE) == "run_1"
        # What is wrong with the record itself comes back.
        assert (await there.command("replay", "--all")).stdout == "replayed 1\n"
        (returned,) = await there.letters(1)
        assert returned["error_class"] == "InvalidMessage"
        assert returned["id"] != third["id"]
    finally:
        await there.stop()


async def test_a_record_that_was_too_large_to_be_kept_is_fetched_from_its_old_place(own_kafka: LocalKafka) -> None:
    there = Installation(own_kafka)
    await there.start()
    try:
        encoded = codec.encode(requested("run_large"))
        padded = encoded.value[:-1] + b', "unknown": "' + b"x" * (1024 * 1024 - len(encoded.value) - 500) + b'"}'
        await there.send(OutgoingRecord(topic=COMMANDS, key=b"thread_1", value=padded, headers=encoded.headers))
        (letter,) = await there.letters(1)
        shown = json.loads((await there.command("show", str(letter["id"]))).stdout)
        assert shown["payload"] is None
        there.failing = False
        assert (await there.command("replay", "--all")).stdout == "replayed 1\n"
        assert await asyncio.wait_for(there.handled.get(), PATIENCE) == "run_large"
    finally:
        await there.stop()


async def test_letters_are_found_among_thousands_of_foreign_records_and_say_nothing_to_the_terminal(
    own_kafka: LocalKafka,
) -> None:
    there = Installation(own_kafka)
    await there.start()
    try:
        foreign = [OutgoingRecord(topic=DEAD_LETTERS, key=None, value=b"") for _ in range(1000)]
        foreign.append(
            OutgoingRecord(topic=DEAD_LETTERS, key=b"\xff", value=b"x", headers=(("dead_letter_topic", b"\xff"),))
        )
        for _ in range(3):
            await there.send(*foreign)
        hostile = dict(codec.encode(requested("run_1")).headers) | {"ce_id": b"", "ce_source": b"\x1b[2J\nforged"}
        value = b"\xff\x00 no JSON"
        await there.send(
            OutgoingRecord(topic=COMMANDS, key=b"\x80\xfe", value=value, headers=tuple(hostile.items())),
            OutgoingRecord(topic=COMMANDS, key=b"t", value=value, headers=(("ce_type", b"\x1b[2J\nforged"),)),
        )
        letters = await there.letters(2)
        listed = (await there.command("list")).stdout
        assert listed.count("\n") == 2
        assert "\x1b" not in listed
        for letter in letters:
            shown = await there.command("show", str(letter["id"]))
            assert shown.returncode == 0, shown.stderr
            assert "\x1b" not in shown.stdout
        replayed = await there.command("replay", "--all")
        assert (replayed.returncode, replayed.stdout) == (0, "replayed 2\n")
        assert len(await there.letters(2)) == 2
    finally:
        await there.stop()


async def test_what_cannot_be_done_is_said_in_one_line(own_kafka: LocalKafka) -> None:
    bootstrap = own_kafka.bootstrap_servers
    lacking = await command("list", bootstrap=bootstrap)
    assert lacking.returncode == 1
    assert f"there is no topic {DEAD_LETTERS}" in lacking.stderr
    settings = KafkaSettings(bootstrap_servers=bootstrap, client_id="test")
    await ensure_topics(settings, catalogue.topics(), replication_factor=1)
    for arguments in (("show", "0/99"), ("replay", "0/99")):
        refused = await command(*arguments, bootstrap=bootstrap)
        assert (refused.returncode, refused.stderr) == (1, "threadworks dead-letters: there is no dead letter 0/99\n")
    for arguments in (("replay",), ("replay", "0/1", "--all")):
        assert (await command(*arguments, bootstrap=bootstrap)).returncode == 2


@pytest.mark.parametrize("arguments", [("list",), ("show", "0/0"), ("replay", "--all")])
async def test_a_kafka_that_is_away_is_named(arguments: tuple[str, ...]) -> None:
    failed = await command(*arguments, bootstrap="127.0.0.1:1")
    assert failed.returncode == 1
    assert "Kafka at 127.0.0.1:1 does not answer" in failed.stderr
    assert "Traceback" not in failed.stderr
