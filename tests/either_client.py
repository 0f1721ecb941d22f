"""Lets one test drive the official SDK's asynchronous and its synchronous client with the same words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any

from openai import AssistantEventHandler, AsyncAssistantEventHandler, AsyncOpenAI, OpenAI

Handler = AssistantEventHandler | AsyncAssistantEventHandler


class EitherClient:
    """`await sdk.now(sdk.beta.threads.create())` whatever kind it is. A synchronous call blocks the test's loop."""

    def __init__(self, client: AsyncOpenAI | OpenAI) -> None:
        self.openai: Any = client
        self.beta: Any = client.beta
        self._asynchronous = isinstance(client, AsyncOpenAI)

    async def now(self, result: Any) -> Any:
        """Return the result of a call."""
        return await result if isawaitable(result) else result

    async def each(self, iterable: Any) -> AsyncIterator[Any]:
        """Give what a page (and the pages after it), a stream or `text_deltas` gives."""
        if hasattr(iterable, "__aiter__"):
            async for item in iterable:
                yield item
        else:
            for item in iterable:
                yield item

    async def every(self, iterable: Any) -> list[Any]:
        """Return all that an iterable gives."""
        return [item async for item in self.each(iterable)]

    @asynccontextmanager
    async def entered(self, manager: Any) -> AsyncIterator[Any]:
        """Enter what `stream(...)` and `with_streaming_response` return."""
        if hasattr(manager, "__aenter__"):
            async with manager as entered:
                yield entered
        else:
            with manager as entered:
                yield entered

    async def raw_stream(self, call: Any) -> AsyncIterator[Any]:
        """Give the events of a call with `stream=True`."""
        async for event in self.each(await self.now(call)):
            yield event

    def handler(self, base: type[Any], blocking_base: type[Any]) -> Any:
        """Return an event handler of the kind that this client takes."""
        return base() if self._asynchronous else blocking_base()
