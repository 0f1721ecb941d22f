"""Keeps aiokafka's own log readable: during an outage it says the same twenty times a second.

Used by `kafka`, once a process. Our own modules log what an outage means; the client's words are for detail.
"""

import logging
import time
from collections.abc import Callable

_LOGGERS = (
    "aiokafka",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.consumer",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
    "aiokafka.consumer.subscription_state",
    "aiokafka.producer.producer",
    "aiokafka.producer.sender",
)


_TRIED_AGAIN = ("Group Coordinator Request failed",)
"""Beginnings of what the client calls errors and repairs by itself: a new broker needs a moment for its groups."""


class OncePerInterval(logging.Filter):
    """Lets a message through when the same one (before its values are filled in) was not let through lately."""

    def __init__(self, *, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        now = self._clock()
        template = str(record.msg)
        if now - self._last.get(template, -self._seconds) < self._seconds:
            return False
        self._last[template] = now
        if template.startswith(_TRIED_AGAIN):
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


def calm_client_log() -> None:
    """Put the filter on the client's loggers. Idempotent."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, OncePerInterval) for one in logger.filters):
            logger.addFilter(OncePerInterval())
