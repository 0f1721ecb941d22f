"""The models that are served: those of the model's server, and `demo`; remembered, and not invented when it is away."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from gateway.adapters.model_server import OpenAIModelServer
from gateway.application.models import ASK_AGAIN_AFTER, DEMO, KNOWN_FOR, Models
from gateway.application.ports import ModelServerAway, ServedModel
from gateway.bootstrap import use_cases
from gateway.entrypoints.http.app import build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.openai.surface import openai_surface
from model_simulator import ModelSimulator, SimulatorSettings
from pydantic import HttpUrl, SecretStr
from run_engine.errors import NotFound
from structlog.testing import capture_logs


class Server:
    """A server that can be away, and counts how often it is asked."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.away = False
        self.asked = 0

    async def models(self) -> Sequence[ServedModel]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise ModelServerAway("ConnectError")
        return [ServedModel(id=name, created=1, owned_by="somebody") for name in self.names]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def names(models: Models) -> list[str]:
    return [each.id for each in await models.all()]


async def test_demo_is_first_and_there_once() -> None:
    assert await names(Models(None)) == ["demo"]
    assert await names(Models(Server("b", "demo", "a"))) == ["demo", "b", "a"]
    assert await Models(Server("demo")).get("demo") == DEMO


async def test_the_list_is_remembered_for_a_while() -> None:
    clock, server = Clock(), Server("a")
    models = Models(server, clock=clock)
    await asyncio.gather(*(names(models) for _ in range(20)))
    assert server.asked == 1
    clock.now += KNOWN_FOR
    server.names = ("a", "b")
    assert await names(models) == ["demo", "a", "b"]
    assert server.asked == 2


async def test_a_model_that_is_not_in_the_list_is_asked_for_once_more() -> None:
    clock, server = Clock(), Server("a")
    models = Models(server, clock=clock)
    for _ in range(5):
        with pytest.raises(NotFound):
            await models.get("new")
    assert server.asked == 1
    server.names = ("a", "new")
    clock.now += ASK_AGAIN_AFTER
    assert (await models.get("new")).id == "new"
    assert server.asked == 2


async def test_what_is_known_stays_while_the_server_is_away() -> None:
    clock, server = Clock(), Server("a")
    models = Models(server, clock=clock)
    server.away = True
    with capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(ModelServerAway):
                await models.all()
        with pytest.raises(ModelServerAway):
            await models.get("a")
    assert (await models.get("demo")) == DEMO
    assert server.asked == 1, "nobody waits for a server again that has just been away"
    assert [line["action"] for line in lines] == ["models_unknown"]
    server.away = False
    clock.now += ASK_AGAIN_AFTER
    assert await names(models) == ["demo", "a"]
    server.away = True
    clock.now += 10 * KNOWN_FOR
    assert await names(models) == ["demo", "a"]
    with pytest.raises(NotFound):
        await models.get("b")


@asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncIterator[str]:
    """A server that says the same to everybody."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b'{"error": {"message": "Incorrect API key provided: sk-secret"}}', "it answers 401"),
        (302, b"", "it answers 302"),
        (200, b"<html>", "its answer is no list of models"),
        (200, b"[]", "its answer is no list of models"),
        (200, b'{"data": [{"name": "x"}]}', "its answer is no list of models"),
    ],
)
async def test_servers_that_say_something_else(status: int, body: bytes, reason: str) -> None:
    async with answering(status, body) as url:
        with pytest.raises(ModelServerAway) as away:
            await OpenAIModelServer(base_url=url, api_key=SecretStr("sk-secret")).models()
    assert str(away.value) == reason


async def test_a_server_that_is_not_there_is_named_without_address_and_key() -> None:
    with pytest.raises(ModelServerAway) as away:
        await OpenAIModelServer(base_url="http://127.0.0.1:1/v1", api_key=SecretStr("sk-secret")).models()
    assert str(away.value) == "ConnectError"


async def test_what_only_openai_needs_may_be_missing() -> None:
    async with answering(200, b'{"data": [{"id": "a"}, {"id": "b", "created": null, "owned_by": null}]}') as url:
        found = await OpenAIModelServer(base_url=url, api_key=SecretStr("x")).models()
    assert found == [ServedModel(id=name, created=0, owned_by="") for name in ("a", "b")]


@pytest.fixture
async def simulator() -> AsyncIterator[ModelSimulator]:
    server = ModelSimulator(SimulatorSettings(port=0, model="simulated/large:latest"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def http(
    simulator: ModelSimulator, engine: Any, settings: Any, stored: Any, hub: Any, caller: Any, facts: Any
) -> AsyncIterator[httpx.AsyncClient]:
    told = {"openai_base_url": HttpUrl(simulator.base_url), "openai_api_key": SecretStr("sk-the-models")}
    settings = settings.model_copy(update=told)
    surface = openai_surface(use_cases(engine, settings, stored, hub), settings)
    app = build_app([surface], largest_body=1024, draining=Draining())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://gateway/v1",
        headers={"authorization": f"Bearer {caller.key}"},
        event_hooks={"response": [facts.sees_async]},
    ) as client:
        yield client


async def test_over_http(http: httpx.AsyncClient, simulator: ModelSimulator) -> None:
    listed = (await http.get("/models")).json()
    assert [each["id"] for each in listed["data"]] == ["demo", "simulated/large:latest"]
    assert listed["data"][0] == {"id": "demo", "object": "model", "created": DEMO.created, "owned_by": "threadworks"}
    assert (await http.get("/models/demo")).json() == listed["data"][0]
    for path in ("/models/simulated/large:latest", "/models/simulated%2Flarge%3Alatest"):
        reply = await http.get(path)
        assert (reply.status_code, reply.json()) == (200, listed["data"][1])
    await simulator.stop()
    assert (await http.get("/models")).json() == listed


async def test_an_unknown_model(http: httpx.AsyncClient) -> None:
    reply = await http.get("/models/gpt-17")
    assert (reply.status_code, reply.json()["error"]) == (
        404,
        {
            "message": "The model 'gpt-17' does not exist",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        },
    )
    assert (await http.post("/models")).status_code == 405
    assert (await http.delete("/models/demo")).status_code == 405


async def test_503_where_nothing_is_known_yet(http: httpx.AsyncClient, simulator: ModelSimulator) -> None:
    await simulator.stop()
    reply = await http.get("/models")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    assert reply.json()["error"]["type"] == "server_error"
    assert "127.0.0.1" not in reply.text
    assert (await http.get("/models/demo")).status_code == 200


async def test_strict_mode_is_for_the_assistants_api_alone(
    engine: Any, settings: Any, stored: Any, hub: Any, caller: Any
) -> None:
    """The SDKs send no beta header with files and models."""
    settings = settings.model_copy(update={"require_beta_header": True})
    surface = openai_surface(use_cases(engine, settings, stored, hub), settings)
    app = build_app([surface], largest_body=1024, draining=Draining())
    headers = {"authorization": f"Bearer {caller.key}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway/v1", headers=headers
    ) as http:
        statuses = {path: (await http.get(path)).status_code for path in ("/models", "/models/demo", "/files")}
        assert set(statuses.values()) == {200}
        for path in ("/assistants", "/threads"):
            assert (await http.get(path)).json()["error"]["code"] == "invalid_beta"
            assert (await http.get(path, headers={"openai-beta": "assistants=v2"})).status_code == 200
