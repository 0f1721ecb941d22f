"""Keeps one reader without a group alive: one consumer after the other, whatever becomes of each of them.

Used by `kafka_follower`, `kafka_tail` and `kafka_log_reader`, which say where a consumer starts and what is done with
its records.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from event_bus.incoming import IncomingRecord
from event_bus.kafka_settings import KafkaSettings
from event_bus.kafka_teardown import stop_consumer
from event_bus.task_ending import end_tasks

log = structlog.get_logger(__name__)

POLL_MILLISECONDS = 500
_REBUILD_SECONDS = 1.0


class StandingReader:
    """Runs until `stop`. `read` gets a started consumer and reads from it until it fails."""

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        topic: str,
        make: Callable[[], AIOKafkaConsumer],
        read: Callable[[AIOKafkaConsumer], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._make = make
        self._read = read
        self._closing: set[asyncio.Task[None]] = set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop reading and close what is open. Idempotent."""
        await end_tasks([self._task])
        if self._closing:
            await asyncio.wait(self._closing)

    async def ends(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        """The end offset of each partition; KafkaError, OSError or TimeoutError where nobody tells."""
        async with asyncio.timeout(self._settings.watchdog_interval):
            return dict(await consumer.end_offsets(consumer.assignment()))

    async def reached(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
        """Whether everything before these offsets was fetched; the position also moves over what was compacted away."""
        async with asyncio.timeout(self._settings.watchdog_interval):
            return all([await consumer.position(partition) >= end for partition, end in ends.items()])

    async def _run(self) -> None:
        while True:
            consumer = self._make()
            try:
                await consumer.start()
                await self._read(consumer)
            except Exception as error:  # noqa: BLE001 - nobody else would notice that nothing is read any more
                log.warning(
                    "the consumer of a topic is lost and is built again",
                    action="reader_lost",
                    topic=self._topic,
                    error_class=type(error).__name__,
                )
            finally:
                closing = asyncio.get_running_loop().create_task(stop_consumer(consumer))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
            await asyncio.sleep(_REBUILD_SECONDS)


def incoming(record: ConsumerRecord) -> IncomingRecord:
    """A record of aiokafka as the bus hands it on."""
    return IncomingRecord(record.topic, record.partition, record.offset, record.key, record.value, record.headers)
