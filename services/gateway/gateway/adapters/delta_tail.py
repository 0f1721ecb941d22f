"""Reads a slot on the event bus. Built by `bootstrap` for the hub of streams."""

from event_bus import EventBus, Message, Tail
from message_contracts import catalogue

from gateway.application.streams.ports import Hear, OpenTail

_TYPE = "threadworks.run-delta.produced.v1"


def tails_on(bus: EventBus) -> OpenTail:
    """Return what begins to read a slot: the partition of that number."""
    topic = catalogue.topic_of(_TYPE)

    async def open_tail(slot: int, hear: Hear) -> Tail:
        async def produced(message: Message) -> None:
            hear(message.data["pieces"])

        return await bus.tail(topic=topic, partition=slot, handlers={_TYPE: produced})

    return open_tail
