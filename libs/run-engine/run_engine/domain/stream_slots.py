"""What the slots of a run say: which gateways stream it, and which wait for what becomes of it. Pure.

A gateway that streams a run stands in `Run.stream_slots` with its slot, one that only waits with a number below zero.
So a run that nobody streams is written with one commit, and its text is sent to nobody, while all who wait hear of its
end at once. Written by gateways, read by orchestrators.
"""

from collections.abc import Collection


def for_news(slot: int) -> int:
    """The number by which a gateway asks for news of a run alone, at `slot`."""
    return -1 - slot


def all_slots(numbers: Collection[int]) -> frozenset[int]:
    """The slots that hear news of the run."""
    return frozenset(number if number >= 0 else -1 - number for number in numbers)


def is_streamed(numbers: Collection[int]) -> bool:
    """Whether anybody reads the text of the run while it is written."""
    return any(number >= 0 for number in numbers)
