"""Work that is for nobody once its client has gone: requests that are answered after a long wait. Used by dialects."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect

from gateway.entrypoints.http.exchange import Call

Result = TypeVar("Result")


async def while_present(call: Call, work: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of `work`; cancel it and raise `ClientDisconnect` when the client goes first.

    The body must have been read: what is received after it is that nobody is there any more.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_departure(call))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _departure(call: Call) -> None:
    while (await call.receive())["type"] != "http.disconnect":
        pass
