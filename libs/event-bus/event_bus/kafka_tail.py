"""Reads one partition of a Kafka topic from its end, outside any group.

Used by `kafka` for `tail`. Speed counts here, completeness does not: a consumer that may be stuck is looked at often,
and no record is waited for.
"""

import asyncio
from collections import Counter

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from event_bus.delivery import Ending, GoingOn, tail_delivery
from event_bus.interface import HandlerTable
from event_bus.kafka_settings import KafkaSettings, tail_options
from event_bus.kafka_standing_reader import POLL_MILLISECONDS, StandingReader, incoming

log = structlog.get_logger(__name__)

_BLIND_LOOKS = 3
"""Looks in a row that may fail before the consumer is given up. In an outage an old one is worth more than a new one:
it goes on where it was."""


class _Lost(Exception):
    """The consumer is not at the end of the partition, or does not move towards it."""


class KafkaTail:
    """One consumer after the other, each from the end on."""

    def __init__(self, settings: KafkaSettings, *, topic: str, partition: int, handlers: HandlerTable) -> None:
        self._settings = settings
        self._partition = TopicPartition(topic, partition)
        self._delivery = tail_delivery(handlers)
        self._ready = asyncio.Event()
        self._reader = StandingReader(
            settings, topic=topic, make=lambda: AIOKafkaConsumer(**tail_options(settings)), read=self._read
        )

    @property
    def counts(self) -> Counter[tuple[str, Ending]]:
        """Records by topic and ending, for metrics."""
        return self._delivery.counts

    async def ready(self) -> None:
        """See `Tail.ready`."""
        await self._ready.wait()

    async def stop(self) -> None:
        """See `Tail.stop`."""
        await self._reader.stop()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign([self._partition])
        if not await consumer.seek_to_end(self._partition):  # its way to say that it timed out
            raise _Lost
        self._ready.set()
        log.info("reading the end of a partition", action="tail_ready", **self._partition._asdict())
        try:
            await self._poll(consumer)
        finally:
            self._ready.clear()

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        going_on = GoingOn()
        clock = asyncio.get_running_loop().time
        looked, blind = clock(), 0
        while True:
            fetched = await consumer.getmany(timeout_ms=POLL_MILLISECONDS)
            for record in fetched.get(self._partition, ()):
                await self._delivery.deliver(incoming(record), going_on)
            if fetched:
                looked, blind = clock(), 0
                # aiokafka does not give way to other tasks while it has something buffered.
                await asyncio.sleep(0)
            elif clock() - looked > self._settings.watchdog_interval:
                blind = 0 if await self._moves(consumer) else blind + 1
                if blind >= _BLIND_LOOKS:
                    raise _Lost
                looked = clock()

    async def _moves(self, consumer: AIOKafkaConsumer) -> bool:
        """False when the brokers do not tell; raises _Lost when there was something to fetch all the time."""
        try:
            if await self._reader.reached(consumer, await self._reader.ends(consumer)):
                return True
        except (KafkaError, OSError, TimeoutError) as error:
            log.info("end offsets are not known", action="tail_blind", error_class=type(error).__name__)
            return False
        raise _Lost
