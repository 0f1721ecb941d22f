"""Reads a compacted Kafka topic from its beginning, outside any group, and stays on it.

Used by `kafka` for `follow`.
"""

import asyncio
import contextlib
from collections import Counter

from aiokafka import AIOKafkaConsumer

from event_bus.delivery import Delivery, Ending, SkippingGraveyard
from event_bus.interface import HandlerTable
from event_bus.kafka_settings import KafkaSettings, reader_options
from event_bus.kafka_standing_reader import POLL_MILLISECONDS, StandingReader, incoming
from event_bus.retries import RetryPolicy


class _Stuck(Exception):
    """Records are there and none arrive: the consumer is built again."""


class KafkaFollower:
    """One consumer after the other, each from the beginning: handlers see records again and ignore what they know."""

    def __init__(self, settings: KafkaSettings, *, topic: str, handlers: HandlerTable, retries: RetryPolicy) -> None:
        self._settings = settings
        self._delivery = Delivery(handlers=handlers, graveyard=SkippingGraveyard(), retries=retries)
        self._stopped = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._reader = StandingReader(
            settings, topic=topic, make=lambda: AIOKafkaConsumer(topic, **reader_options(settings)), read=self._read
        )

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
        await self._reader.stop()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        ends = await self._reader.ends(consumer)
        quiet_since = asyncio.get_running_loop().time()
        while True:
            if not self._caught_up.is_set() and await self._reader.reached(consumer, ends):
                self._caught_up.set()
            fetched = await consumer.getmany(timeout_ms=POLL_MILLISECONDS)
            for records in fetched.values():
                for record in records:
                    await self._delivery.deliver(incoming(record), self)
            now = asyncio.get_running_loop().time()
            if fetched:
                quiet_since = now
            elif now - quiet_since > self._settings.watchdog_limit:
                if not await self._reader.reached(consumer, await self._reader.ends(consumer)):
                    raise _Stuck
                quiet_since = now

    def blocked(self) -> None:
        """See `Waiting.blocked`: records are handled one after the other anyway."""

    async def wait(self, seconds: float) -> bool:
        """See `Waiting.wait`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        return not self._stopped.is_set()
