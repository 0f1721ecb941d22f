"""The announcement: what it says, how often it is repeated, and what happens while it fails."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import structlog
from event_bus import Outcome, OutgoingRecord, PublishError
from message_contracts import codec
from pydantic import Field
from tool_service import ToolService, calls
from tool_service.announcing import Announcing

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
AWAY = PublishError(retryable=True, reason="the broker is away")


def library() -> ToolService:
    service = ToolService(name="library")

    @service.function(timeout=12.5)
    async def find(title: Annotated[str, Field(description="Title of the book.")]) -> str:
        """Finds a book."""
        return title

    return service


class Broker:
    """A publisher with scripted outcomes, and the pauses that were asked for. Ends the announcer after the last one."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.records: list[OutgoingRecord] = []
        self.pauses: list[float] = []

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[Outcome]:
        self.records.extend(records)
        return [self.outcomes.pop(0)]

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not self.outcomes:
            raise asyncio.CancelledError


async def announced_by(broker: Broker) -> Announcing:
    service = library()
    announcing = Announcing(
        broker,
        lambda now: calls.announcement(service.name, service.functions.values(), now),
        clock=lambda: NOW,
        sleep=broker.sleep,
    )
    assert not announcing.announced
    with structlog.testing.capture_logs():
        await asyncio.gather(announcing.run(), return_exceptions=True)
    return announcing


async def test_it_says_what_the_service_answers() -> None:
    broker = Broker(None)
    assert (await announced_by(broker)).announced
    (record,) = broker.records
    assert (record.topic, record.key) == ("threadworks.tool-services.v1", b"library")
    message = codec.decode(record.headers, record.value)
    assert (message.source, message.subject, message.tenant) == ("/threadworks/tool-services/library", "library", None)
    assert message.data == {
        "service": {
            "name": "library",
            "functions": [
                {
                    "name": "find",
                    "description": "Finds a book.",
                    "parameters": {
                        "type": "object",
                        "properties": {"title": {"type": "string", "description": "Title of the book."}},
                        "required": ["title"],
                    },
                    "timeout_seconds": 12.5,
                }
            ],
            "public_key": None,
        }
    }


async def test_it_is_repeated_every_minute_as_an_event_of_its_own() -> None:
    broker = Broker(None, None, None)
    await announced_by(broker)
    assert broker.pauses == [60, 60, 60]
    ids = {codec.decode(record.headers, record.value).id for record in broker.records}
    assert len(ids) == 3


async def test_a_failed_announcement_is_tried_again_sooner_and_ever_less_often() -> None:
    broker = Broker(*[AWAY] * 7, None, AWAY)
    assert (await announced_by(broker)).announced
    assert broker.pauses == [0.5, 1, 2, 4, 8, 8, 8, 60, 0.5]


async def test_while_it_fails_the_service_is_not_announced() -> None:
    assert not (await announced_by(Broker(AWAY, AWAY))).announced
