"""Gives each test the process-wide logging state to change, and puts it back."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def logging_state() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    levels = [(each, each.level, each.propagate) for each in loggers]
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = before
    root.setLevel(level)
    for each, its_level, propagate in levels:
        each.setLevel(its_level)
        each.propagate = propagate
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
