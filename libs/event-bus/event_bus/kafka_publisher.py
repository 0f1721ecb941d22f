"""Sends records to Kafka: pipelined, bounded in time, and with a new producer after every failed batch.

Used by `kafka` twice: as the durable publisher of its bus and, with other options, as the one for streams.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from event_bus.interface import Outcome, OutgoingRecord, PublishError
from event_bus.kafka_settings import KafkaSettings, producer_options
from event_bus.kafka_teardown import abort_producer, stop_producer
from event_bus.kafka_topic_lookup import TopicLookup, take_note
from event_bus.task_ending import end_tasks

log = structlog.get_logger(__name__)

_CONNECT_SECONDS = 10.0
_CONNECT_PAUSE_SECONDS = 1.0
_TOO_LARGE = PublishError(retryable=False, reason="the record is larger than Kafka takes")
_NO_ANSWER = PublishError(retryable=True, reason="no acknowledgement in time; the record may have been written")

_Ack = asyncio.Future[Any]


class KafkaPublisher:
    """One producer of a process, and its successors.

    An idempotent producer whose batch has failed has a gap in its sequence and may never send again. So after any
    failure, or a time-out, it is dropped and the next `publish` builds a new one: the caller sends again.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        options: Callable[[KafkaSettings], dict[str, Any]] = producer_options,
        make_producer: Callable[..., AIOKafkaProducer] = AIOKafkaProducer,
    ) -> None:
        self._settings = settings
        self._options = options
        self._make_producer = make_producer
        self._live: AIOKafkaProducer | None = None
        self._starting: asyncio.Task[AIOKafkaProducer] | None = None
        self._dropping: set[asyncio.Task[None]] = set()
        self._topics = TopicLookup()
        self._stopped = False
        self.was_ready = False
        """Whether a producer has been connected once, for the readiness of the process."""

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[Outcome]:
        """See `Publisher.publish`."""
        deadline = asyncio.get_running_loop().time() + self._settings.publish_timeout
        return await self._publish(records, deadline) if records else []

    async def connect(self) -> None:
        """Build the producer ahead of the first `publish`, trying until there is one."""
        while not self._stopped:
            try:
                await self._producer()
            except (KafkaError, OSError, TimeoutError):
                await asyncio.sleep(_CONNECT_PAUSE_SECONDS)
            else:
                return

    async def stop(self) -> None:
        """Flush what is on its way and close. Idempotent."""
        self._stopped = True
        if self._starting is not None:
            await end_tasks([self._starting])
        if self._live is not None:
            producer, self._live = self._live, None
            await stop_producer(producer)
        if self._dropping:
            await asyncio.wait(self._dropping)

    async def _publish(self, records: Sequence[OutgoingRecord], deadline: float) -> list[Outcome]:
        try:
            async with asyncio.timeout_at(deadline):
                producer = await self._producer()
        except (KafkaError, OSError, TimeoutError) as error:
            reason = f"no Kafka broker answers at {self._settings.bootstrap_servers} ({type(error).__name__})"
            return [PublishError(retryable=True, reason=reason)] * len(records)
        outcomes: list[Outcome] = [_NO_ANSWER] * len(records)
        acks: list[tuple[int, _Ack]] = []
        try:
            async with asyncio.timeout_at(deadline):
                partitions = await self._topics.partitions(producer, {record.topic for record in records})
                for index, record in enumerate(records):
                    outcomes[index] = _refusal(record, partitions[record.topic])
                    if outcomes[index] is None:
                        outcomes[index] = _NO_ANSWER
                        try:
                            acks.append((index, await _queue(producer, record)))
                        except MessageSizeTooLargeError:
                            outcomes[index] = _TOO_LARGE
                for index, ack in acks:
                    outcomes[index] = await _outcome(ack)
        except (TimeoutError, KafkaError) as error:
            log.warning("records were not acknowledged", action="publish_failed", error_class=type(error).__name__)
            for index, ack in acks:
                outcomes[index] = _outcome_now(ack)
        except asyncio.CancelledError:
            for _, ack in acks:
                ack.add_done_callback(take_note)
            raise
        failed = [index for index, _ in acks if outcomes[index] is not None]
        if failed or any(outcome is _NO_ANSWER for outcome in outcomes):
            self._drop(producer)
        if len(failed) > 1 and all(outcomes[index] is _TOO_LARGE for index in failed):
            # One record was too large and took its batch with it: find out which.
            for index in failed:
                outcomes[index] = (await self._publish([records[index]], deadline))[0]
        return outcomes

    async def _producer(self) -> AIOKafkaProducer:
        """The live producer, or a new one; KafkaError, OSError or TimeoutError when no broker can be reached."""
        if self._stopped:
            raise ConnectionAbortedError("the publisher has been stopped")
        if self._live is not None:
            return self._live
        if self._starting is None or self._starting.done():
            self._starting = asyncio.get_running_loop().create_task(self._build())
            self._starting.add_done_callback(take_note)
        return await asyncio.shield(self._starting)

    async def _build(self) -> AIOKafkaProducer:
        producer = self._make_producer(**self._options(self._settings))
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await producer.start()
        except BaseException:
            await abort_producer(producer)
            raise
        self._live = producer
        self.was_ready = True
        log.info("connected to Kafka for publishing", action="producer_connected")
        return producer

    def _drop(self, producer: AIOKafkaProducer) -> None:
        if self._live is producer:
            self._live = None
            self._topics.forget()
            log.warning("a batch failed; the producer is dropped", action="producer_dropped")
            task = asyncio.get_running_loop().create_task(abort_producer(producer))
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)


def _refusal(record: OutgoingRecord, partitions: frozenset[int]) -> PublishError | None:
    if not partitions:
        return PublishError(retryable=True, reason=f"the topic {record.topic} was not found")
    if record.partition is not None and record.partition not in partitions:
        return PublishError(retryable=False, reason=f"{record.topic} has no partition {record.partition}")
    return None


async def _queue(producer: AIOKafkaProducer, record: OutgoingRecord) -> _Ack:
    headers = list(record.headers)  # aiokafka takes nothing but a list
    ack: _Ack = await producer.send(
        record.topic, value=record.value, key=record.key, partition=record.partition, headers=headers
    )
    return ack


async def _outcome(ack: _Ack) -> Outcome:
    try:
        await ack
    except KafkaError:
        return _outcome_now(ack)
    return None


def _outcome_now(ack: _Ack) -> Outcome:
    if not ack.done() or ack.cancelled():
        ack.add_done_callback(take_note)
        return _NO_ANSWER
    error = ack.exception()
    if error is None:
        return None
    if isinstance(error, MessageSizeTooLargeError):
        return _TOO_LARGE
    return PublishError(retryable=True, reason=f"Kafka refused the record: {type(error).__name__}")
