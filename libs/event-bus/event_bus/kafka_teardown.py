"""Ends aiokafka's objects for certain: their own `stop` can hang, and one that was cancelled half-way leaves tasks.

Used by the other kafka modules. The private attributes named here are aiokafka 0.14's; a test with a real broker that
goes away holds this module to them.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, ProducerClosed
from aiokafka.producer.message_accumulator import MessageAccumulator

log = structlog.get_logger(__name__)

STOP_SECONDS = 10.0
"""How long an orderly stop may take: flushing what was sent, leaving the group."""
_ABORT_SECONDS = 2.0
_TURN_SECONDS = 0.05


async def stop_producer(producer: AIOKafkaProducer, seconds: float = STOP_SECONDS) -> None:
    """Flush and close; drop what cannot be flushed in time."""
    if not await _stopped(producer.stop(), seconds):
        log.warning("the producer did not stop in order and is dropped", action="producer_dropped")
        await abort_producer(producer)


async def abort_producer(producer: AIOKafkaProducer) -> None:
    """Close at once. What waits in the producer fails; what is on its way may still be written."""
    producer._closed = True
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    await _close_client(producer.client)
    if sender is not None:
        await _ended(sender, producer.client)
    _fail_batches(producer._message_accumulator)


async def stop_consumer(consumer: AIOKafkaConsumer, seconds: float = STOP_SECONDS) -> None:
    """Leave the group and close; drop the connections when that hangs (the group then notices by its time-out)."""
    if not await _stopped(consumer.stop(), seconds):
        log.warning("the consumer did not stop in order and is dropped", action="consumer_dropped")
        await abort_consumer(consumer)


async def abort_consumer(consumer: AIOKafkaConsumer) -> None:
    """Close at once, without leaving the group."""
    consumer._closed = True
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    tasks = [
        getattr(coordinator, name, None)
        for name in ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
    ]
    if fetcher is not None:
        tasks += [fetcher._fetch_task, *fetcher._pending_tasks]
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    await _close_client(consumer._client)
    for task in running:
        await _ended(task, consumer._client)


def _fail_batches(accumulator: MessageAccumulator) -> None:
    batches = [*accumulator._pending_batches, *(batch for queue in accumulator._batches.values() for batch in queue)]
    accumulator.fail_all(ProducerClosed())
    # A batch that waits for its next try is not among these, but takes itself out of them when it fails.
    accumulator._pending_batches.update(batches)
    for batch in batches:
        # Nobody waits for room in these batches, so nobody would look at this exception.
        if batch._drain_waiter.done() and not batch._drain_waiter.cancelled():
            batch._drain_waiter.exception()


async def _stopped(stop: Coroutine[Any, Any, None], seconds: float) -> bool:
    """Whether an orderly stop came to its end. It may hang, fail, or end with a cancellation that is not ours."""
    task = asyncio.get_running_loop().create_task(stop)
    try:
        await asyncio.wait([task], timeout=seconds)
    finally:
        task.cancel()
    await asyncio.wait([task], timeout=_ABORT_SECONDS)
    return task.done() and not task.cancelled() and task.exception() is None


async def _close_client(client: AIOKafkaClient) -> None:
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(_ABORT_SECONDS):
            await client.close()


async def _ended(task: "asyncio.Task[object]", client: AIOKafkaClient) -> None:
    """Wait for a cancelled task. It may itself wait for metadata that nobody fetches any more: answer that."""
    for _ in range(round(_ABORT_SECONDS / _TURN_SECONDS)):
        await asyncio.wait([task], timeout=_TURN_SECONDS)
        if task.done():
            if not task.cancelled():
                task.exception()
            return
        update = client._md_update_fut
        if update is not None and not update.done():
            update.set_result(False)
    log.error("a task of the Kafka client does not end", action="client_task_left", task=task.get_name())
