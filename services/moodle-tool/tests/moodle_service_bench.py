"""moodle-tool on the in-process bus, with the orchestrator's side of it: for the tests of the whole service."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Self

import orjson
from event_bus import Message, OutgoingRecord
from event_bus.in_process import InProcessBus
from message_contracts import catalogue, codec
from moodle_simulator import DEMO_TOKEN
from moodle_tool.bootstrap import build
from moodle_tool.settings import MoodleToolSettings
from observability import Meters
from pydantic import HttpUrl, SecretStr

PATIENCE = 30.0


class Bench:
    """The service built by its own composition root; `call` publishes a call and returns its answer."""

    def __init__(
        self,
        base_url: str,
        *,
        call_timeout: float = 20.0,
        meters: Meters | None = None,
        sealing_keys: SecretStr | None = None,
    ) -> None:
        settings = MoodleToolSettings(
            moodle_base_url=HttpUrl(base_url), moodle_token=SecretStr(DEMO_TOKEN), moodle_call_timeout=call_timeout
        )
        self.bus = InProcessBus()
        self.service = build(settings, self.bus, meters, sealing_keys=sealing_keys)
        self.announcements: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._number = 0

    async def __aenter__(self) -> Self:
        await self.bus.start()
        handlers = {f"threadworks.tool-call.{ending}.v1": self._answered for ending in ("completed", "failed")}
        await self.bus.subscribe(
            group="run-orchestrator", topics=["threadworks.tool-results.v1"], handlers=handlers, service="test"
        )
        await self.bus.follow(
            topic="threadworks.tool-services.v1",
            handlers={"threadworks.tool-service.announced.v1": self.announcements.put},
        )
        await self.service.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.service.stop()
        await self.bus.stop()

    async def call(self, course_id: object, *, seconds: float = 20.0, credentials: str | None = None) -> Message:
        """Let the model call the function; return the tool-call.completed or tool-call.failed."""
        self._number += 1
        call_id, now = f"call_{self._number}", datetime.now(UTC)
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
                    "service": "moodle",
                    "name": "get_moodle_course_content",
                    "arguments": orjson.dumps({"courseid": course_id}).decode(),
                    "created_at": now.isoformat(),
                    "deadline": (now + timedelta(seconds=seconds)).isoformat(),
                    "credentials": credentials,
                }
            },
            id=f"event of {call_id}",
            time=now,
        )
        encoded = codec.encode(message)
        topic = catalogue.topic_of(message.type, service="moodle")
        self._answers[call_id] = asyncio.get_running_loop().create_future()
        record = OutgoingRecord(topic=topic, key=b"one partition", value=encoded.value, headers=encoded.headers)
        assert await self.bus.publisher.publish([record]) == [None]
        return await asyncio.wait_for(self._answers[call_id], PATIENCE)

    async def unreadable_call(self) -> None:
        """Publish what is no message; return when it is a dead letter."""
        topic, place = catalogue.topic_of("threadworks.tool-call.requested.v1", service="moodle"), b"one partition"
        assert await self.bus.publisher.publish([OutgoingRecord(topic=topic, key=place, value=b"?")]) == [None]
        async with asyncio.timeout(PATIENCE):
            while not any(ending == "dead_lettered" for _, _, ending in self.bus.consumed()):
                await asyncio.sleep(0)

    async def _answered(self, message: Message) -> None:
        self._answers[message.subject].set_result(message)
