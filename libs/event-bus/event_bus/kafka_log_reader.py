"""Reads all partitions of some Kafka topics from given places on, outside any group, and hands out what lies there.

Used by `kafka` for `read`. Whoever reads says where to go on, so nothing is committed, and a consumer that is built
again goes on where the one before it was.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from event_bus.incoming import IncomingRecord, Partition
from event_bus.interface import LogBatch
from event_bus.kafka_settings import KafkaSettings, reader_options
from event_bus.kafka_standing_reader import POLL_MILLISECONDS, StandingReader, incoming

_BLIND_LOOKS = 3
"""Looks in a row that may fail before the consumer is given up; see `kafka_tail`."""
_BEYOND_THE_END = 3
"""Consumers that have to find a place beyond the end of its partition before it is believed to be gone. A new leader
may know for a moment of an earlier end than the one before it told."""


class _Lost(Exception):
    """The consumer does not move, or reads something else than it was told to."""


class KafkaLogReader:
    """One consumer after the other, each from where the one before it was."""

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        topics: Sequence[str],
        start: Mapping[Partition, int] | None,
        on_stop: Callable[["KafkaLogReader"], None],
    ) -> None:
        self._settings = settings
        self._on_stop = on_stop
        self._place = None if start is None else dict(start)
        self._beyond = 0
        # One is handed out while the next is fetched; a slow reader holds up the consumer and nothing else.
        self._batches: asyncio.Queue[LogBatch] = asyncio.Queue(maxsize=1)
        self._reader = StandingReader(
            settings,
            topic=", ".join(topics),
            make=lambda: AIOKafkaConsumer(*topics, **reader_options(settings)),
            read=self._read,
        )

    async def read(self) -> LogBatch:
        """See `LogReader.read`."""
        return await self._batches.get()

    async def stop(self) -> None:
        """See `LogReader.stop`."""
        await self._reader.stop()
        self._on_stop(self)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        partitions = consumer.assignment()
        place, lost = await self._beginning(consumer, partitions)
        for partition in partitions:
            consumer.seek(partition, place[Partition(*partition)])
        self._place = place
        await self._batches.put(LogBatch((), dict(place), lost))
        clock = asyncio.get_running_loop().time
        looked, blind = clock(), 0
        while True:
            fetched = await consumer.getmany(timeout_ms=POLL_MILLISECONDS)
            if consumer.assignment() != partitions:
                # More partitions than before. The client would begin all of them anew.
                raise _Lost
            if fetched:
                await self._hand_out(fetched, place)
                looked, blind = clock(), 0
            elif clock() - looked > self._settings.watchdog_interval:
                blind = 0 if await self._moves(consumer) else blind + 1
                if blind >= _BLIND_LOOKS:
                    raise _Lost
                looked = clock()

    async def _beginning(
        self, consumer: AIOKafkaConsumer, partitions: frozenset[TopicPartition]
    ) -> tuple[dict[Partition, int], bool]:
        """Where to begin each partition, and whether something that was to be read is gone."""
        ends = await self._reader.ends(consumer)
        if self._place is None:
            return {Partition(*partition): end for partition, end in ends.items()}, False
        async with asyncio.timeout(self._settings.watchdog_interval):
            kept_from = await consumer.beginning_offsets(partitions)
        place: dict[Partition, int] = {}
        lost = beyond = False
        for partition in partitions:
            # A partition that nobody knew of has nothing that was read already.
            wanted = self._place.get(Partition(*partition), kept_from[partition])
            beyond = beyond or wanted > ends[partition]
            gone = not kept_from[partition] <= wanted <= ends[partition]
            lost = lost or gone
            place[Partition(*partition)] = kept_from[partition] if gone else wanted
        self._beyond = self._beyond + 1 if beyond else 0
        if 0 < self._beyond < _BEYOND_THE_END:
            raise _Lost
        return place, lost

    async def _hand_out(
        self, fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]], place: dict[Partition, int]
    ) -> None:
        records: list[IncomingRecord] = []
        lost = False
        for topic_partition, found in fetched.items():
            partition = Partition(*topic_partition)
            for record in found:
                if record.offset < place[partition]:
                    continue
                # The topics that are read so have no gaps but those that retention makes under a slow reader.
                lost = lost or record.offset > place[partition]
                place[partition] = record.offset + 1
                records.append(incoming(record))
        if records:
            await self._batches.put(LogBatch(records, dict(place), lost))

    async def _moves(self, consumer: AIOKafkaConsumer) -> bool:
        """False when the brokers do not tell; raises _Lost when there was something to fetch all the time."""
        try:
            if await self._reader.reached(consumer, await self._reader.ends(consumer)):
                return True
        except (KafkaError, OSError, TimeoutError):
            return False
        raise _Lost
