"""Publish and subscribe to contract messages: one interface, Apache Kafka and in-process behind it."""

from message_contracts import Message

from event_bus.interface import (
    Around,
    EventBus,
    Follower,
    Handler,
    HandlerTable,
    Outcome,
    OutgoingRecord,
    Publisher,
    PublishError,
    Subscription,
    Tail,
    Unavailable,
)

__all__ = [
    "Around",
    "EventBus",
    "Follower",
    "Handler",
    "HandlerTable",
    "Message",
    "Outcome",
    "OutgoingRecord",
    "PublishError",
    "Publisher",
    "Subscription",
    "Tail",
    "Unavailable",
]
