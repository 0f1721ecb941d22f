"""Reads a compacted Kafka topic from its beginning, outside any group, and stays on it.

Used by `kafka` for `follow`.
"""

import asyncio
import contextlib
from collections import Counter

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from event_bus.delivery import Delivery, Ending, SkippingGraveyard
from event_bus.incoming import IncomingRecord
from event_bus.interface import HandlerTable
from event_bus.kafka_settings import KafkaSettings, reader_options
from event_bus.kafka_teardown import stop_consumer
from event_bus.retries import RetryPolicy
from event_bus.task_ending import end_tasks

log = structlog.get_logger(__name__)

_POLL_MILLISECONDS = 500
_REBUILD_SECONDS = 1.0


class _Stuck(Exception):
    """Records are there and none arrive: the consumer is built again."""


class KafkaFollower:
    """One consumer after the other, each from the beginning: handlers see records again and ignore what they know."""

    def __init__(self, settings: KafkaSettings, *, topic: str, handlers: HandlerTable, retries: RetryPolicy) -> None:
        self._settings = settings
        self._topic = topic
        self._delivery = Delivery(handlers=handlers, graveyard=SkippingGraveyard(), retries=retries)
        self._stopped = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def counts(self) -> Counter[tuple[str, Ending]]:
        """Records by topic and ending, for metrics."""
        return self._delivery.counts

    async def caught_up(self) -> None:
        """See `Follower.caught_up`."""
        await self._caught_up.wait()

    async def stop(self) -> None:
        """See `Follower.stop`."""
        self._stopped.set()
        await end_tasks([self._task])
        if self._closing:
            await asyncio.wait(self._closing)

    async def _run(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(self._topic, **reader_options(self._settings))
            try:
                await consumer.start()
                await self._read(consumer)
            except Exception as error:  # noqa: BLE001 - nobody else would notice that announcements are not read any more
                log.warning(
                    "the consumer of a followed topic is lost and is built again",
                    action="follower_lost",
                    topic=self._topic,
                    error_class=type(error).__name__,
                )
            finally:
                closing = asyncio.get_running_loop().create_task(stop_consumer(consumer))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
            await asyncio.sleep(_REBUILD_SECONDS)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        ends = await self._ends(consumer)
        quiet_since = asyncio.get_running_loop().time()
        while True:
            if not self._caught_up.is_set() and await self._reached(consumer, ends):
                self._caught_up.set()
            fetched = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS)
            for records in fetched.values():
                for record in records:
                    await self._delivery.deliver(
                        IncomingRecord(
                            record.topic, record.partition, record.offset, record.key, record.value, record.headers
                        ),
                        self,
                    )
            now = asyncio.get_running_loop().time()
            if fetched:
                quiet_since = now
            elif now - quiet_since > self._settings.watchdog_limit:
                if not await self._reached(consumer, await self._ends(consumer)):
                    raise _Stuck
                quiet_since = now

    async def _ends(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        async with asyncio.timeout(self._settings.watchdog_interval):
            return dict(await consumer.end_offsets(consumer.assignment()))

    async def _reached(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
        """Whether everything before these offsets was fetched; the position also moves over what was compacted away."""
        async with asyncio.timeout(self._settings.watchdog_interval):
            return all([await consumer.position(partition) >= end for partition, end in ends.items()])

    def blocked(self) -> None:
        """See `Waiting.blocked`: records are handled one after the other anyway."""

    async def wait(self, seconds: float) -> bool:
        """See `Waiting.wait`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        return not self._stopped.is_set()
