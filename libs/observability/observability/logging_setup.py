"""`configure_logging`: structlog and the standard library's logging, one pipeline, one line an event, on stderr.

Called once a process, first thing in each service's `__main__`, before anything can log.
"""

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor

from observability.log_context import add_log_context
from observability.redaction import redact_event
from observability.standard_library import StandardLibraryHandler, quiet_libraries

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(service: str, format: Literal["auto", "json", "console"], level: str) -> None:  # noqa: A002 - a fixed interface
    """Send every log event of this process to stderr, with time (ISO 8601, UTC), level, service and logger name.

    `format`: "json" writes one JSON object a line, "console" text for people, "auto" console on a terminal and JSON
    elsewhere. `level`: debug, info, warning or error; events below it are dropped. Libraries that would put headers,
    bodies or URLs into the log stay at warning whatever the level is, and credentials are masked in what remains.
    Raises ValueError for an unknown format or level.
    """
    threshold = _LEVELS.get(level.lower())
    if threshold is None:
        raise ValueError(f"unknown log level {level!r}: expected one of {', '.join(_LEVELS)}")
    processors = _processors(service, _renderer(format))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=StderrLogger,
        # A cached logger would keep the processors of its first use; the lookup costs a microsecond.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for previous in [handler for handler in root.handlers if isinstance(handler, StandardLibraryHandler)]:
        root.removeHandler(previous)
    root.addHandler(StandardLibraryHandler(processors, StderrLogger))
    root.setLevel(threshold)
    quiet_libraries()
    logging.captureWarnings(capture=True)


class StderrLogger:
    """Where the pipeline ends: writes a rendered line to what stderr is at that moment, in one call."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Write one line."""
        sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = exception = log = msg


def _processors(service: str, renderer: Processor) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        add_log_context,
        structlog.processors.StackInfoRenderer(),
        # Tracebacks become text before the redaction, or what they quote would pass it by.
        structlog.processors.format_exc_info,
        redact_event,
        _origin(service),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        renderer,
    ]


def _origin(service: str) -> Processor:
    def add_origin(logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        if logger is not None and logger.name is not None:
            event["logger"] = logger.name
        return event

    return add_origin


def _renderer(chosen: str) -> Processor:
    if chosen == "auto":
        chosen = "console" if sys.stderr.isatty() else "json"
    if chosen == "json":
        return _render_json
    if chosen == "console":
        # The plain formatter: the default one prints local variables beside each frame, and so whatever they hold.
        return structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    raise ValueError(f"unknown log format {chosen!r}: expected auto, json or console")


def _render_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z).decode()
    except orjson.JSONEncodeError:
        # orjson refuses lone surrogates and integers above 64 bits; a log call must not fail because of them.
        return json.dumps(event, default=str)
