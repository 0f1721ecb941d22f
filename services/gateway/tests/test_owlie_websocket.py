"""The websocket of Owlie with a real client: questions in, the text of the answers out, and how a connection ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from engine_world import answer
from gateway.entrypoints.http.app import build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.openai.refusals import HEAD_TOO_LARGE, MALFORMED
from gateway.entrypoints.http.owlie.socket_dialog import DONE
from gateway.entrypoints.http.server import HttpServer
from gateway.entrypoints.http.sockets import LARGEST_MESSAGE, MOST_WAITING
from run_engine.domain.objects import Run
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

Serving = Callable[..., AbstractAsyncContextManager[HttpServer]]


@pytest.fixture
def serving(owlie: Any) -> Serving:
    """Serves the front end's gateway on a socket."""

    @asynccontextmanager
    async def serve(front_end: Any = owlie, farewell: float = 0.05) -> AsyncIterator[HttpServer]:
        draining = Draining()
        server = HttpServer(
            build_app(
                front_end.surfaces,
                largest_body=1024 * 1024,
                draining=draining,
                cors_origins=front_end.settings.cors_origin_list,
            ),
            host="127.0.0.1",
            port=0,
            listen_fd=None,
            draining=draining,
            malformed=MALFORMED,
            head_too_large=HEAD_TOO_LARGE,
            sockets=True,
            farewell=farewell,
        )
        await server.start()
        try:
            yield server
        finally:
            await server.stop()

    return serve


def at(server: HttpServer, **options: Any) -> connect:
    return connect(f"ws://127.0.0.1:{server.port}/ws", proxy=None, **options)


async def asked(caller: Any, owlie: Any, message: str = "was ist java") -> dict[str, str]:
    return {
        "thread_id": owlie.ids.token("thread", await caller.thread()),
        "assistant_id": owlie.ids.token("assistant", await caller.assistant()),
        "message": message,
    }


async def begun(caller: Any, owlie: Any, question: dict[str, str]) -> Run:
    """The run of a question, claimed as soon as it is there."""
    thread_id = owlie.ids.id_of("thread", question["thread_id"])
    async with asyncio.timeout(10):
        while True:
            page = (await caller.get(f"/threads/{thread_id}/runs"))["data"]
            active = [each for each in page if each["status"] == "queued"]
            if active:
                claimed = await caller.worker.driving.claim(caller.tenant, active[0]["id"])
                assert claimed is not None
                return claimed  # type: ignore[no-any-return] # the worker is typed where it is defined
            await asyncio.sleep(0.01)


async def frames(socket: ClientConnection) -> list[str]:
    """All frames of one answer, without its end."""
    found: list[str] = []
    async with asyncio.timeout(10):
        while (frame := await socket.recv()) != DONE:
            assert isinstance(frame, str)
            found.append(frame)
    return found


async def test_many_questions_on_one_connection(caller: Any, owlie: Any, serving: Serving) -> None:
    async with serving() as server, at(server) as socket:
        question = await asked(caller, owlie)
        for text in ("Kaffee", "Insel 💬", "Sprache"):
            await socket.send(orjson.dumps(question).decode())
            await caller.worker.driving.finish(await begun(caller, owlie, question), answer(text))
            assert "".join(await frames(socket)) == text
    assert len(await owlie.messages(question["thread_id"])) == 6


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("no JSON", "JSON"),
        ("[]", "object"),
        ('{"thread_id": "x", "assistant_id": "y"}', "message: Field required"),
        ('{"thread_id": 1, "assistant_id": "y", "message": "z"}', "thread_id: Input should be a valid string"),
        ('{"thread_id": "x", "assistant_id": "y", "message": ""}', "message"),
        ('{"thread_id": "x", "assistant_id": "y", "message": "a\\u0000"}', "U+0000"),
        (b"\xff\xfe", "JSON"),
    ],
)
async def test_a_bad_payload_is_told_and_the_connection_stays(
    caller: Any, owlie: Any, serving: Serving, payload: str | bytes, reason: str
) -> None:
    async with serving() as server, at(server) as socket:
        await socket.send(payload)
        told = await socket.recv()
        assert isinstance(told, str)
        assert told.startswith("Error: Invalid payload - ")
        assert reason in told
        question = await asked(caller, owlie)
        await socket.send(orjson.dumps(question).decode())
        await caller.worker.driving.finish(await begun(caller, owlie, question), answer("still here"))
        assert await frames(socket) == ["still here"]


async def test_what_cannot_be_answered_is_told_and_done(caller: Any, owlie: Any, serving: Serving) -> None:
    async with serving() as server, at(server) as socket:
        question = await asked(caller, owlie)
        foreign = {**question, "thread_id": question["assistant_id"]}
        await socket.send(orjson.dumps(foreign).decode())
        assert await frames(socket) == ["Error: No thread has this id."]
        await socket.send(orjson.dumps(question).decode())
        run = await begun(caller, owlie, question)
        busy = at(server)
        async with busy as other:
            await other.send(orjson.dumps(question).decode())
            (told,) = await frames(other)
            assert told.startswith("Error: The thread is still being answered")
        await caller.worker.driving.fail(run, "server_error", "The model has gone.")
        (told,) = await frames(socket)
        assert told.startswith("Error: The answer could not be written")


async def test_a_message_that_is_too_large_ends_the_connection(owlie: Any, serving: Serving) -> None:
    async with serving() as server:
        with pytest.raises(ConnectionClosed) as closed:
            async with at(server) as socket:
                # The connection may end before all of it is sent.
                await socket.send("x" * (LARGEST_MESSAGE + 1))
                await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("waiting", [["waits"] * (MOST_WAITING + 1), ["x" * (LARGEST_MESSAGE // 2 + 1)] * 2])
async def test_more_than_is_taken_ends_the_connection(
    caller: Any, owlie: Any, serving: Serving, waiting: list[str]
) -> None:
    async with serving() as server, at(server) as socket:
        question = await asked(caller, owlie)
        await socket.send(orjson.dumps(question).decode())
        run = await begun(caller, owlie, question)
        for each in waiting:
            await socket.send(each)
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert (await caller.get(f"/threads/{run.thread_id}/runs/{run.id}"))["status"] == "in_progress", "it goes on"


async def test_a_client_that_goes_lets_go_of_its_run(caller: Any, owlie: Any, serving: Serving, hub: Any) -> None:
    async with serving() as server:
        question = await asked(caller, owlie)
        async with at(server) as socket:
            await socket.send(orjson.dumps(question).decode())
            run = await begun(caller, owlie, question)
            assert hub.listening(text=True) == 1
        async with asyncio.timeout(5):
            while hub.listening(text=True):
                await asyncio.sleep(0.01)
        await caller.worker.driving.finish(run, answer("for whoever comes back"))
    assert (await owlie.messages(question["thread_id"]))[0]["content"] == "for whoever comes back"


@pytest.mark.parametrize(
    ("origins", "origin", "let_in"),
    [
        ("", None, True),
        ("", "http://127.0.0.1:{port}", True),
        ("", "https://chat.example", False),
        ("https://chat.example", "https://chat.example", True),
        ("https://chat.example", "https://chat.example.evil", False),
        ("https://chat.example", "null", False),
        ("*", "https://anywhere.example", True),
    ],
)
async def test_which_pages_may_connect(
    new_owlie: Any, serving: Serving, origins: str, origin: str | None, let_in: bool
) -> None:
    async with serving(new_owlie(cors_origins=origins)) as server:
        named = None if origin is None else origin.format(port=server.port)
        if let_in:
            async with at(server, origin=named) as socket:
                await socket.send("{")
                assert await socket.recv()
            return
        with pytest.raises(InvalidStatus) as refused:
            async with at(server, origin=named):
                pass
        assert refused.value.response.status_code == 403


async def test_a_server_that_stops_finishes_what_it_says(caller: Any, owlie: Any, serving: Serving) -> None:
    async with serving(farewell=5) as server, at(server) as idle, at(server) as talking:
        question = await asked(caller, owlie)
        await talking.send(orjson.dumps(question).decode())
        run = await begun(caller, owlie, question)
        stopping = asyncio.create_task(server.stop())
        with pytest.raises(ConnectionClosed) as closed:
            await idle.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert not stopping.done()
        await caller.worker.driving.finish(run, answer("the last word"))
        assert await frames(talking) == ["the last word"]
        with pytest.raises(ConnectionClosed) as closed:
            await talking.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        async with asyncio.timeout(5):
            await stopping


async def test_questions_count_as_requests(new_owlie: Any, serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    limited = new_owlie(owlie_requests_per_minute=3)
    question = orjson.dumps({"thread_id": "x", "assistant_id": "y", "message": "z"}).decode()
    async with serving(limited) as server, at(server) as socket:
        for _ in range(2):
            await socket.send(question)
            assert await frames(socket) == ["Error: No thread has this id."]
        await socket.send(question)
        (told,) = await frames(socket)
        assert told.startswith("Error: Too many requests")
        with pytest.raises(InvalidStatus) as refused:
            async with at(server):
                pass
        assert refused.value.response.status_code == 429
        assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    assert [each for each in caplog.records if each.levelname == "ERROR"] == [], "it is no error of the server"


async def test_what_is_no_question_counts_as_well(new_owlie: Any, serving: Serving) -> None:
    async with serving(new_owlie(owlie_requests_per_minute=3)) as server, at(server) as socket:
        for _ in range(2):
            await socket.send("{")
            assert str(await socket.recv()).startswith("Error: Invalid payload")
        await socket.send("{")
        (told,) = await frames(socket)
        assert told.startswith("Error: Too many requests")


async def test_a_text_that_is_none_ends_the_connection_and_is_no_error_of_the_server(
    owlie: Any, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        for pieces in ([b"\xff"], [b'{"a": "', b"\xc3", b'"}']):
            async with at(server) as socket:
                await socket.send(pieces, text=True)
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1007
        async with at(server) as socket:
            await socket.send([b'{"a": "\xc3', b'\xbc"}'], text=True)
            assert "thread_id: Field required" in str(await socket.recv()), "a character may be in two fragments"
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


async def test_other_offers_and_other_paths(serving: Serving) -> None:
    async with serving() as server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
        offered = await http.post("/api/new", json={}, headers={"connection": "upgrade", "upgrade": "h2c"})
        assert offered.status_code == 422, "its body is read"
        for path in ("/ws", "/api/ws"):
            assert (await http.get(path)).status_code == 404
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws://127.0.0.1:{server.port}/v1/threads", proxy=None):
                pass
        assert refused.value.response.status_code == 403
        long = {"x-long": "x" * 20_000}
        with pytest.raises(InvalidStatus) as refused:
            async with at(server, additional_headers=long):
                pass
        assert refused.value.response.status_code in {400, 431}
