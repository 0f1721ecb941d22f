"""Wakes an orchestrator for a run that is streamed, ahead of its events. Used by `process`.

The outbox brings a wake-up too, but only after a look at the table and in the order of the thread, and a stream's
client waits for that. This one may be lost, and is always one of two: a run is claimed once, however often it is woken.
"""

import asyncio
from typing import Final
from uuid import uuid4

from event_bus import OutgoingRecord, Publisher
from message_contracts import Message, catalogue, codec
from observability.trace_context import current_traceparent

from run_engine.domain.objects import Run
from run_engine.process_names import event_source

TYPE: Final = "threadworks.run.requested.v1"


class Waker:
    """Sends wake-ups without waiting for them. `publisher` need not be durable."""

    def __init__(self, publisher: Publisher, worker: str) -> None:
        self._publisher = publisher
        self._source = event_source(worker)
        self._sending: set[asyncio.Task[object]] = set()

    def wake(self, run: Run) -> None:
        """Has a queued run looked at."""
        message = Message(
            id=str(uuid4()),
            source=self._source,
            type=TYPE,
            subject=run.id,
            tenant=run.tenant_id,
            time=run.created_at,
            data={"run": {"id": run.id, "thread_id": run.thread_id}},
            correlation_id=run.id,
            traceparent=current_traceparent(),
        )
        encoded = codec.encode(message)
        record = OutgoingRecord(
            topic=catalogue.topic_of(TYPE), key=run.thread_id.encode(), value=encoded.value, headers=encoded.headers
        )
        task = asyncio.create_task(self._publisher.publish([record]), name="wake")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
