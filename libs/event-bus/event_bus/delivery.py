"""Takes one record to its end: handled, skipped or a dead letter; or given up without an acknowledgement.

Used by `lane` for subscriptions, by the followers and by the tails. Knows nothing of Kafka, offsets or partitions.
"""

import asyncio
from collections import Counter
from contextlib import nullcontext
from enum import Enum
from typing import Protocol

import structlog
from message_contracts import ContractError, Message, UnknownType, codec

from event_bus.dead_letters import dead_letter, without_value
from event_bus.incoming import IncomingRecord
from event_bus.interface import Around, Handler, HandlerTable, Publisher, Unavailable
from event_bus.retries import RetryPolicy

log = structlog.get_logger(__name__)


class Ending(Enum):
    """How a record ended. All but GIVEN_UP acknowledge it."""

    HANDLED = "handled"
    SKIPPED = "skipped"
    DEAD_LETTERED = "dead_lettered"
    GIVEN_UP = "given_up"


class Waiting(Protocol):
    """Whoever asked for the delivery: told when the record has to wait, asked whether it is still wanted."""

    def blocked(self) -> None:
        """Something is away: start no other record until this one has ended."""
        ...

    async def wait(self, seconds: float) -> bool:
        """Wait, and return False when the record is not wanted here any more."""
        ...


class Graveyard(Protocol):
    """Where records go that nobody can handle."""

    async def bury(self, record: IncomingRecord, error: Exception, waiting: Waiting) -> Ending:
        """End the record without a handler."""
        ...


class Delivery:
    """Decodes, finds the handler, tries again, buries. One for a subscription; safe for concurrent records."""

    def __init__(
        self, *, handlers: HandlerTable, graveyard: Graveyard, retries: RetryPolicy, around: Around = nullcontext
    ) -> None:
        self._handlers = handlers
        self._graveyard = graveyard
        self._retries = retries
        self._around = around
        self.counts: Counter[tuple[str, Ending]] = Counter()
        """Records by topic and ending, since the start."""

    async def deliver(self, record: IncomingRecord, waiting: Waiting) -> Ending:
        """Take the record to its end. Raises only what is not an Exception."""
        ending = await self._deliver(record, waiting)
        self.counts[record.topic, ending] += 1
        return ending

    async def _deliver(self, record: IncomingRecord, waiting: Waiting) -> Ending:
        try:
            message = codec.decode(record.headers, record.value or b"")
        except UnknownType:
            return Ending.SKIPPED
        except ContractError as error:
            return await self._graveyard.bury(record, error, waiting)
        handler = self._handlers.get(message.type)
        if handler is None:
            return Ending.SKIPPED
        return await self._handle(record, message, handler, waiting)

    async def _handle(self, record: IncomingRecord, message: Message, handler: Handler, waiting: Waiting) -> Ending:
        failures = iter(self._retries.failure_pauses)
        outage = self._retries.unavailable_pauses()
        while True:
            try:
                with self._around(message):
                    await handler(message)
            except Unavailable as error:
                waiting.blocked()
                pause = next(outage)
                log.warning(
                    "a handler needs something that is away",
                    action="handler_unavailable",
                    message_type=message.type,
                    event_id=message.id,
                    error_class=type(error.__cause__ or error).__name__,
                    pause_seconds=pause,
                    **record.place,
                )
                if not await waiting.wait(pause):
                    return Ending.GIVEN_UP
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is counted, not spread
                next_pause = next(failures, None)
                log.warning(
                    "a handler failed" if next_pause is None else "a handler failed; trying again",
                    action="handler_failed",
                    message_type=message.type,
                    event_id=message.id,
                    error_class=type(error).__name__,
                    raised_at=_raised_at(error),
                    **record.place,
                )
                if next_pause is None:
                    return await self._graveyard.bury(record, error, waiting)
                await asyncio.sleep(next_pause)
            else:
                return Ending.HANDLED


class DeadLetterGraveyard:
    """Writes dead letters; while they cannot be written, the record waits."""

    def __init__(self, *, publisher: Publisher, service: str, group: str, retries: RetryPolicy) -> None:
        self._publisher = publisher
        self._service = service
        self._group = group
        self._retries = retries

    async def bury(self, record: IncomingRecord, error: Exception, waiting: Waiting) -> Ending:
        """Publish the dead letter, however long that takes."""
        letter = dead_letter(record, error, service=self._service, group=self._group)
        for pause in self._retries.unavailable_pauses():
            outcome = (await self._publisher.publish([letter]))[0]
            if outcome is None:
                log.warning(
                    "a record became a dead letter",
                    action="dead_letter_written",
                    error_class=type(error).__name__,
                    **record.place,
                )
                return Ending.DEAD_LETTERED
            log.error(
                "a dead letter could not be written; trying again",
                action="dead_letter_failed",
                reason=outcome.reason,
                **record.place,
            )
            if not outcome.retryable:
                letter = without_value(letter)
            waiting.blocked()
            if not await waiting.wait(pause):
                break
        return Ending.GIVEN_UP


class SkippingGraveyard:
    """For followers: a compacted topic is read again at each start, so a dead letter would be written each time.

    And for tails: what they read is not kept anyway.
    """

    async def bury(self, record: IncomingRecord, error: Exception, _waiting: Waiting) -> Ending:
        """Log and go on. A record without a value deletes its key and says nothing else."""
        if record.value is not None:
            log.error(
                "a record that nobody can handle is skipped",
                action="record_skipped",
                error_class=type(error).__name__,
                **record.place,
            )
        return Ending.SKIPPED


class GoingOn:
    """For tails: no record waits for anything, because the next one is more worth than a late one."""

    def blocked(self) -> None:
        """See `Waiting.blocked`."""

    async def wait(self, _seconds: float) -> bool:
        """See `Waiting.wait`."""
        return False


def tail_delivery(handlers: HandlerTable) -> Delivery:
    """Each record is tried once."""
    return Delivery(handlers=handlers, graveyard=SkippingGraveyard(), retries=RetryPolicy(failure_pauses=()))


def _raised_at(error: Exception) -> str:
    """File and line: the text of an exception may quote what no log may hold."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "unknown"
    code = traceback.tb_frame.f_code
    return f"{code.co_filename.rsplit('/', 1)[-1]}:{traceback.tb_lineno} in {code.co_name}"
