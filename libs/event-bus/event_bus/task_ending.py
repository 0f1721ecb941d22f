"""Ends background tasks for certain. Used wherever the bus stops something.

One cancellation may get lost: `asyncio.wait_for` of Python 3.11, which the Kafka client uses, swallows one that comes
at the moment its inner call returns.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_SECONDS = 3.0


async def end_tasks(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel the tasks, again if need be, and return when all have ended. Their results are not looked at."""
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=_AGAIN_SECONDS)
