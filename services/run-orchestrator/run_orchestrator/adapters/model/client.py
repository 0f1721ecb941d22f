"""`Model` on an OpenAI-compatible server, by `openai.AsyncOpenAI`.

The SDK makes the request (address, key, headers, errors); the reply's bytes are read here, because its stream objects
cost 100 µs a chunk. For the same reason the body is given as bytes to the SDK's own `post`: the typed method in front
of it costs 400 µs of every run. Retries are the application's.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

import aiohttp
import httpx2
import openai
from observability.trace_context import current_traceparent
from openai import RequestOptions
from openai.types.chat import ChatCompletionChunk
from pydantic import SecretStr

from run_orchestrator.adapters.metrics import OrchestratorMeter
from run_orchestrator.adapters.model.asking import Asking
from run_orchestrator.adapters.model.chat_request import body_of
from run_orchestrator.adapters.model.chunks import is_end, piece_of
from run_orchestrator.adapters.model.errors import BROKE_OFF, TOO_SLOW, failure_of
from run_orchestrator.adapters.model.event_stream import EventStreamReader
from run_orchestrator.adapters.model.images import ImageSource
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.prompt import Prompt
from run_orchestrator.application.reply import Piece

IDLE_SECONDS: Final = 4.0
"""How long an unused connection is kept. Many servers close theirs after 5 s; one that we use just then would fail."""
POOL_SECONDS: Final = 30.0
"""Longest wait for a connection. There is one for every place, so only a leak could make anybody wait."""
END_SECONDS: Final = 0.1
"""Longest wait for the end of the body after the last event: read to its end, a connection can be used again."""


# What is raised while a body is read: most of it by the SDK's client, some of it by what carries that.
_BROKEN: Final = (httpx2.HTTPError, httpx2.StreamError, aiohttp.ClientError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. `read` is the longest silence, before the first chunk and between two of them."""

    connect: float
    read: float


class OpenAIModel:
    """Chat completions of one server. `aliases` translates model names that only we know."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: SecretStr,
        connections: int,
        timeouts: Timeouts,
        aliases: Mapping[str, str],
        images: ImageSource,
        meter: OrchestratorMeter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._aliases = aliases
        self._images = images
        self._meter = meter
        self._clock = clock
        timeout = httpx2.Timeout(
            connect=timeouts.connect, read=timeouts.read, write=timeouts.read, pool=max(POOL_SECONDS, timeouts.connect)
        )
        limits = httpx2.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=IDLE_SECONDS
        )
        # aiohttp carries a request at half of the CPU of the default client, with the same interface.
        http_client = openai.DefaultAioHttpClient(limits=limits, timeout=timeout)
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key.get_secret_value(),
            max_retries=0,
            timeout=timeout,
            http_client=http_client,
            # Compressing a stream of small events delays them and saves nothing.
            default_headers={"Accept": "text/event-stream", "Accept-Encoding": "identity"},
        )

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Sequence[Piece], None]:
        """Asks once and gives the pieces of the reply as they arrive. Raises `ModelFailure`."""
        images = await self._images.images_of(prompt)
        with Asking(self._meter) as asking:
            try:
                reply = await self._client.post(
                    "/chat/completions",
                    content=body_of(prompt, self._aliases.get(prompt.model, prompt.model), images),
                    options=_options(),
                    cast_to=ChatCompletionChunk,
                    stream=True,
                    stream_cls=openai.AsyncStream[ChatCompletionChunk],
                )
                try:
                    async with aclosing(_pieces(reply.response)) as arrivals:
                        async for pieces in arrivals:
                            if asking.waits:
                                asking.begins()
                            yield pieces
                finally:
                    with suppress(*_BROKEN):
                        await reply.close()
            except openai.APIError as error:
                raise failure_of(error, model=prompt.model, now=self._clock()) from None
            except httpx2.TimeoutException:
                raise ModelFailure(FailureKind.UNAVAILABLE, TOO_SLOW) from None
            except _BROKEN:
                raise ModelFailure(FailureKind.UNAVAILABLE, BROKE_OFF) from None

    async def close(self) -> None:
        """Closes all connections."""
        await self._client.close()


def _options() -> RequestOptions:
    """The trace that the request belongs to, if it belongs to one."""
    traceparent = current_traceparent()
    return {} if traceparent is None else {"headers": {"traceparent": traceparent}}


async def _pieces(response: httpx2.Response) -> AsyncGenerator[Sequence[Piece], None]:
    reader = EventStreamReader()
    arrivals = response.aiter_bytes()
    has_ended = False
    async for arrived in arrivals:
        pieces = []
        over = False
        for data in reader.feed(arrived):
            if is_end(data):
                over = True
                break
            piece = piece_of(data)
            has_ended = has_ended or piece.finish_reason is not None
            pieces.append(piece)
        if pieces:
            yield pieces
        if over:
            await _read_to_the_end(arrivals)
            return
    # Some servers leave out the last event, so a finish reason will do; without one the reply is a torso.
    if not has_ended:
        raise ModelFailure(FailureKind.UNAVAILABLE, BROKE_OFF)


async def _read_to_the_end(arrivals: AsyncGenerator[bytes, None]) -> None:
    try:
        async with asyncio.timeout(END_SECONDS):
            async for _ in arrivals:
                pass
    except (TimeoutError, *_BROKEN):
        # The reply is whole; only the connection is lost.
        pass
