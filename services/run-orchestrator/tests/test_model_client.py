"""The model adapter over real HTTP: connections, time-outs, closing, and what becomes of odd servers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest
from observability import Meters
from pydantic import SecretStr
from run_engine.domain.objects import Message, Run
from run_orchestrator.adapters.metrics import OrchestratorMeter
from run_orchestrator.adapters.model import client as client_module
from run_orchestrator.adapters.model.client import OpenAIModel, Timeouts
from run_orchestrator.adapters.model.images import Images
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.prompt import Prompt, build_prompt

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
TEXT = b'data: {"choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": null}]}\n\n'
STOP = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


class NoImages:
    """For prompts without any."""

    async def images_of(self, _prompt: Prompt) -> Images:
        return Images()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class RawServer:
    """A server that answers with given bytes; unless `gate` is set, with nothing after the first write."""

    def __init__(self, *writes: bytes) -> None:
        self.writes = writes
        self.connections = 0
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()
        self.gate = asyncio.Event()
        self.keep_open = False
        self.pause = 0.0
        """Seconds between two writes, so that they arrive as two."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line
                )
                self.requests.append(head + await reader.readexactly(length))
                for number, data in enumerate(self.writes):
                    if number and not self.gate.is_set():
                        # Held back for good: what is waited for is the client that closes.
                        await reader.read()
                        return
                    if number:
                        await asyncio.sleep(self.pause)
                    writer.write(data)
                if not self.keep_open:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.closed.set()


@asynccontextmanager
async def running(server: RawServer, **timeouts: float) -> AsyncIterator[OpenAIModel]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    client = model_at(f"http://127.0.0.1:{port}/v1", **timeouts)
    try:
        yield client
    finally:
        await client.close()
        listener.close()
        await listener.wait_closed()


def model_at(url: str, connect: float = 5.0, read: float = 5.0) -> OpenAIModel:
    return OpenAIModel(
        base_url=url,
        api_key=SecretStr("sk-the-key"),
        connections=8,
        timeouts=Timeouts(connect=connect, read=read),
        aliases={"ours": "theirs"},
        images=NoImages(),
        meter=OrchestratorMeter(Meters()),
    )


@pytest.fixture
def prompt(a_run: Callable[..., Run], a_message: Callable[..., Message]) -> Prompt:
    return build_prompt(a_run(model="ours"), [a_message("hello")], [])


async def text_of(client: OpenAIModel, prompt: Prompt) -> str:
    return "".join([piece.text or "" async for pieces in client.stream(prompt) for piece in pieces])


async def failure_of(client: OpenAIModel, prompt: Prompt) -> ModelFailure:
    with pytest.raises(ModelFailure) as caught:
        await text_of(client, prompt)
    return caught.value


async def test_a_request_is_what_a_server_expects(prompt: Prompt) -> None:
    server = RawServer(CHUNKED + chunk(TEXT + STOP + DONE) + b"0\r\n\r\n")
    async with running(server) as client:
        assert await text_of(client, prompt) == "hello"
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /v1/chat/completions http/1.1"
    assert b"authorization: bearer sk-the-key" in lines
    assert b"content-type: application/json" in lines
    assert b"accept-encoding: identity" in lines
    assert b'"model":"theirs"' in body


async def test_a_connection_is_used_again(prompt: Prompt) -> None:
    server = RawServer(CHUNKED + chunk(TEXT + STOP + DONE) + b"0\r\n\r\n")
    server.keep_open = True
    async with running(server) as client:
        for _ in range(5):
            assert await text_of(client, prompt) == "hello"
    assert (len(server.requests), server.connections) == (5, 1)


async def test_a_connection_whose_reply_ends_a_moment_after_its_last_event_is_used_again(
    prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "END_SECONDS", 10.0)
    server = RawServer(CHUNKED + chunk(TEXT + STOP + DONE), b"0\r\n\r\n")
    server.keep_open, server.pause = True, 0.02
    server.gate.set()
    async with running(server) as client:
        for _ in range(3):
            assert await text_of(client, prompt) == "hello"
    assert (len(server.requests), server.connections) == (3, 1)


async def test_many_at_once_keep_their_connections(prompt: Prompt) -> None:
    """As many connections as places stay open between the waves of requests."""
    server = RawServer(CHUNKED + chunk(TEXT + STOP + DONE) + b"0\r\n\r\n")
    server.keep_open = True
    async with running(server) as client:
        for _ in range(5):
            assert set(await asyncio.gather(*(text_of(client, prompt) for _ in range(8)))) == {"hello"}
    assert len(server.requests) == 40
    assert server.connections <= 8


async def test_a_body_that_does_not_end_after_the_last_event_is_not_waited_for(prompt: Prompt) -> None:
    server = RawServer(CHUNKED + chunk(TEXT + STOP + DONE), b"never sent")
    async with running(server) as client:
        assert await asyncio.wait_for(text_of(client, prompt), 3) == "hello"
        await asyncio.wait_for(server.closed.wait(), 5)


async def test_servers_that_leave_out_the_last_event(prompt: Prompt) -> None:
    async with running(RawServer(CHUNKED + chunk(TEXT + STOP) + b"0\r\n\r\n")) as client:
        assert await text_of(client, prompt) == "hello"
    async with running(RawServer(OK + b"connection: close\r\n\r\n" + TEXT + STOP)) as client:
        assert await text_of(client, prompt) == "hello"


@pytest.mark.parametrize(
    "reply",
    [
        CHUNKED + chunk(TEXT),
        CHUNKED + chunk(TEXT) + b"0\r\n\r\n",
        CHUNKED + chunk(TEXT)[:-10],
        OK + b"connection: close\r\n\r\n" + TEXT,
        OK + b"content-length: 1000\r\n\r\n" + TEXT,
        CHUNKED + b"zz\r\n",
        OK + b"content-encoding: gzip\r\ncontent-length: 8\r\n\r\nnot gzip",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
    ids=[
        "cut",
        "ended without a reason",
        "cut in a chunk",
        "closed",
        "shorter than it said",
        "broken chunks",
        "not gzip",
        "a page",
        "no HTTP",
        "nothing",
    ],
)
async def test_a_reply_that_is_none_is_worth_another_try(prompt: Prompt, reply: bytes) -> None:
    async with running(RawServer(reply)) as client:
        assert (await failure_of(client, prompt)).kind is FailureKind.UNAVAILABLE


async def test_silence_before_and_within_a_reply_is_limited(prompt: Prompt) -> None:
    for writes in ([b"", b"never"], [CHUNKED + chunk(TEXT), b"never"]):
        server = RawServer(*writes)
        async with running(server, read=0.1) as client:
            failure = await failure_of(client, prompt)
            assert (failure.kind, failure.detail) == (
                FailureKind.UNAVAILABLE,
                "The model server did not answer in time.",
            )
            await asyncio.wait_for(server.closed.wait(), 5)


async def test_a_slow_but_steady_reply_is_no_silence(prompt: Prompt) -> None:
    pauses = iter([0.06] * 20)

    class Slow(RawServer):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(CHUNKED)
            for pause in pauses:
                writer.write(chunk(TEXT))
                await asyncio.sleep(pause)
            writer.write(chunk(STOP + DONE) + b"0\r\n\r\n")
            writer.close()

    async with running(Slow(), read=1.0) as client:
        assert await text_of(client, prompt) == "hello" * 20


async def stopped_by_closing(client: OpenAIModel, prompt: Prompt) -> None:
    async with aclosing(client.stream(prompt)) as arrivals:
        async for _ in arrivals:
            break


async def stopped_by_cancelling(client: OpenAIModel, prompt: Prompt) -> None:
    arrived = asyncio.Event()

    async def read() -> None:
        async for _ in client.stream(prompt):
            arrived.set()

    task = asyncio.create_task(read())
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("stopped", [stopped_by_closing, stopped_by_cancelling])
async def test_stopping_closes_the_connection(
    prompt: Prompt, stopped: Callable[[OpenAIModel, Prompt], Awaitable[None]]
) -> None:
    server = RawServer(CHUNKED + chunk(TEXT), b"never")
    async with running(server) as client:
        await stopped(client, prompt)
        await asyncio.wait_for(server.closed.wait(), 5)


async def test_a_server_that_is_not_there(unused_address: str, prompt: Prompt) -> None:
    client = model_at(unused_address)
    failure = await failure_of(client, prompt)
    await client.close()
    assert (failure.kind, failure.detail) == (FailureKind.UNAVAILABLE, "The model server could not be reached.")


async def test_an_address_that_does_not_answer(prompt: Prompt) -> None:
    """A listener that accepts nothing: its queue is full, so connecting takes for ever."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        client = model_at(f"http://127.0.0.1:{port}/v1", connect=0.2)
        failure = await failure_of(client, prompt)
        await client.close()
        for filler in fillers:
            filler.close()
    assert (failure.kind, failure.detail) == (FailureKind.UNAVAILABLE, "The model server could not be reached.")


async def test_statuses_are_failures(prompt: Prompt) -> None:
    for status, kind in (
        (b"429 Too Many Requests", FailureKind.RATE_LIMITED),
        (b"503 Service Unavailable", FailureKind.UNAVAILABLE),
        (b"401 Unauthorized", FailureKind.REFUSED),
        (b"400 Bad Request", FailureKind.INVALID_PROMPT),
    ):
        reply = b"HTTP/1.1 " + status + b"\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}"
        async with running(RawServer(reply)) as client:
            assert (await failure_of(client, prompt)).kind is kind
