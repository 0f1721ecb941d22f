"""How far one member is behind the ends of its partitions. Used by `kafka_subscription`, and told as `lag`."""

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from event_bus.incoming import Partition
from event_bus.lane import Lane


class KafkaPositions:
    """The ends of the partitions as of the last look, and where reading began where no record has come yet."""

    def __init__(self) -> None:
        self._ends: dict[Partition, int] = {}
        self._starts: dict[Partition, int] = {}

    async def look(
        self, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], lanes: Mapping[Partition, Lane]
    ) -> None:
        """Take note of the ends that a broker has told, and ask it for what else is needed. Raises KafkaError."""
        self._ends = {Partition(*partition): end for partition, end in ends.items()}
        self._starts = {partition: start for partition, start in self._starts.items() if partition in lanes}
        silent = [
            TopicPartition(*partition)
            for partition, lane in lanes.items()
            if lane.offsets.ended_before is None and partition not in self._starts and partition in self._ends
        ]
        if not silent:
            return
        beginnings = await consumer.beginning_offsets(silent)
        for partition in silent:
            committed = await consumer.committed(partition)
            self._starts[Partition(*partition)] = beginnings[partition] if committed is None else committed

    def lag(self, lanes: Mapping[Partition, Lane]) -> dict[str, int]:
        """Records between what has ended and the end, by topic. What is not known yet is left out."""
        behind: dict[str, int] = {}
        for partition, lane in lanes.items():
            ended = lane.offsets.ended_before
            start = self._starts.get(partition) if ended is None else ended
            end = max(self._ends.get(partition, 0), lane.offsets.next or 0)
            if start is not None:
                behind[partition.topic] = behind.get(partition.topic, 0) + max(0, end - start)
        return behind
