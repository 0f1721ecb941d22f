"""Brings what libraries log through the standard library's `logging` into the pipeline of `logging_setup`."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from structlog.typing import EventDict, Processor

# What these would say below the given level holds URLs (with their query strings), headers or whole requests.
_FLOORS = {
    "httpx": logging.WARNING,
    "httpx2": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpcore2": logging.WARNING,
    "hpack": logging.WARNING,
    "openai": logging.WARNING,
    "aiohttp": logging.WARNING,
    "urllib3": logging.WARNING,
    "uvicorn": logging.WARNING,
    "aiokafka": logging.INFO,
    "asyncio": logging.INFO,
}


class Sink(Protocol):
    """The end of the pipeline: takes a rendered line; `name` is the logger's, for the processors."""

    name: str | None

    def msg(self, line: str) -> None:
        """Write one line."""


class StandardLibraryHandler(logging.Handler):
    """The root logger's handler: turns a LogRecord into an event, runs the processors and writes the line."""

    def __init__(self, processors: Sequence[Processor], sink: Callable[[str | None], Sink]) -> None:
        super().__init__()
        self._processors = processors
        self._sink = sink
        self.addFilter(_above_floor)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. Like every handler, never raises: a record that cannot be rendered is named instead."""
        try:
            self._write(record.name, record.levelname.lower(), _event_of(record))
        except Exception as error:  # noqa: BLE001 - a log call must not fail its caller
            # logging's own report would print the raw arguments, past the redaction.
            reason = f"{type(error).__name__} while rendering a record of {record.pathname}:{record.lineno}"
            self._write(record.name, "error", {"event": reason, "action": "log_record_lost"})

    def _write(self, logger: str, method: str, event: EventDict) -> None:
        sink = self._sink(logger)
        rendered: Any = event
        for processor in self._processors:
            rendered = processor(sink, method, rendered)
        sink.msg(rendered)


def quiet_libraries() -> None:
    """Raise the loggers named above to their floor, so that they do not even build what would be dropped."""
    for name, floor in _FLOORS.items():
        logger = logging.getLogger(name)
        logger.setLevel(max(floor, logging.getLogger().level))
        logger.handlers.clear()
    for name in ("uvicorn.error", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(logging.getLogger("uvicorn").level)
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    # Without a handler in reach uvicorn leaves the work of an access line out altogether.
    access.propagate = False


def _above_floor(record: logging.LogRecord) -> bool:
    """Hold the floors also against a library that sets its own level later (OPENAI_LOG=debug does)."""
    return record.levelno >= _FLOORS.get(record.name.split(".", 1)[0], logging.NOTSET)


def _event_of(record: logging.LogRecord) -> EventDict:
    event: EventDict = {"event": record.getMessage()}
    if record.exc_info:
        event["exc_info"] = record.exc_info
    if record.stack_info:
        event["stack"] = record.stack_info
    return event
