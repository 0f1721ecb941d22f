"""Publish and subscribe to contract messages: one interface, Apache Kafka and in-process behind it."""

from message_contracts import Message

from event_bus.incoming import IncomingRecord, Partition
from event_bus.interface import (
    Around,
    EventBus,
    Follower,
    Handler,
    HandlerTable,
    LogBatch,
    LogReader,
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
    "IncomingRecord",
    "LogBatch",
    "LogReader",
    "Message",
    "Outcome",
    "OutgoingRecord",
    "Partition",
    "PublishError",
    "Publisher",
    "Subscription",
    "Tail",
    "Unavailable",
]
