"""The database away: 503 in the envelope, and all is well when it is back. Something unexpected: 500 without a word."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from event_bus.in_process import InProcessBus
from gateway.application.authentication import Authentication
from gateway.bootstrap import build
from gateway.entrypoints.http.app import Surface, build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.openai.access import OpenAIDialect
from gateway.settings import GatewaySettings
from pydantic import SecretStr
from run_engine.errors import DatabaseUnavailable
from structlog.testing import capture_logs


class Cable:
    """A way to PostgreSQL that can be cut: a socket of our own in front of its socket."""

    def __init__(self, directory: Path, url: str) -> None:
        base, _, query = url.partition("?")
        self._target = next(part.partition("=")[2] for part in query.split("&") if part.startswith("host="))
        self._directory = directory
        self.url = f"{base}?host={directory}"
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> None:
        self._server = await asyncio.start_unix_server(self._forward, self._directory / ".s.PGSQL.5432")

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        (self._directory / ".s.PGSQL.5432").unlink(missing_ok=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(next(Path(self._target).glob(".s.PGSQL.*[0-9]")))
        self._writers += [writer, back]
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@pytest.fixture
def cable(server_directory: Path, migrated_url: str) -> Cable:
    directory = server_directory / uuid4().hex[:8]
    directory.mkdir()
    return Cable(directory, migrated_url)


async def test_an_outage_is_one_short_line_a_request() -> None:
    class Away:
        async def authenticate(self, key: str) -> Any:
            raise DatabaseUnavailable("PostgreSQL is unavailable (OSError)") from OSError("/secret/address")

    dialect = OpenAIDialect(Authentication(Away()), require_beta_header=False)
    app = build_app([Surface(dialect, [("/v1/assistants", {"GET": never})])], largest_body=1024, draining=Draining())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway/v1") as http:
        with capture_logs() as lines:
            reply = await http.get("/assistants", headers={"authorization": "Bearer sk-secret"})
    (line,) = [line for line in lines if line["action"] != "request"]
    assert (line["action"], line["log_level"]) == ("request_unavailable", "warning")
    assert line["request_id"] == reply.headers["x-request-id"]
    assert (line["error"], line["caused_by"]) == ("DatabaseUnavailable", "OSError")
    assert "secret" not in repr(lines)
    assert len(repr(line)) < 400


async def test_503_while_the_database_is_away(cable: Cable, caller: Any, facts: Any, tmp_path: Path) -> None:
    await cable.connect()
    bus = InProcessBus()
    await bus.start()
    service = build(GatewaySettings(database_url=SecretStr(cable.url), port=0, data_dir=tmp_path), bus)
    assert service.checks()["gateway"]() == "not started"
    await service.start()
    http = httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{service.port}/v1",
        headers={"authorization": f"Bearer {caller.key}"},
        event_hooks={"response": [facts.sees_async]},
    )
    assert (await http.post("/threads")).status_code == 200
    await cable.cut()
    before = await caller.rows()
    for method, path in (("POST", "/threads"), ("GET", "/assistants"), ("GET", "/threads/thread_1")):
        reply = await http.request(method, path)
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
        error = reply.json()["error"]
        assert (error["type"], error["code"]) == ("server_error", "service_unavailable")
        assert "PGSQL" not in reply.text
    strange = await http.get("/assistants", headers={"authorization": "Bearer sk-not-seen-before"})
    assert strange.status_code == 503, "whose key this is cannot be known"
    assert service.checks()["gateway"]() is None, "it answers, so it is ready"
    assert await caller.rows() == before
    await cable.connect()
    async with asyncio.timeout(20):
        while (await http.post("/threads")).status_code != 200:
            await asyncio.sleep(0.05)
    await http.aclose()
    await service.stop()
    assert service.checks()["gateway"]() == "stopping"
    await bus.stop()
    await cable.cut()


class Keys:
    async def authenticate(self, key: str) -> Any:
        raise LookupError(f"the secret {key} is in this text")


async def test_500_tells_nothing_and_the_log_tells_where(facts: Any) -> None:
    dialect = OpenAIDialect(Authentication(Keys()), require_beta_header=False)
    app = build_app([Surface(dialect, [("/v1/assistants", {"GET": never})])], largest_body=1024, draining=Draining())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway/v1", event_hooks={"response": [facts.sees_async]}
    ) as http:
        with capture_logs() as lines:
            reply = await http.get("/assistants", headers={"authorization": "Bearer sk-secret"})
    assert reply.status_code == 500
    assert reply.json()["error"]["type"] == "server_error"
    assert "sk-secret" not in reply.text
    failure = next(line for line in lines if line["action"] == "request_failed")
    assert (failure["error"], failure["status"]) == ("LookupError", 500)
    assert failure["request_id"] == reply.headers["x-request-id"]
    assert any("authenticate" in frame for frame in failure["trace"])
    assert "sk-secret" not in repr(lines)


async def never(_call: Any) -> Any:
    raise AssertionError("nobody gets this far")


async def test_a_server_that_ends_by_itself_is_a_failure(settings: GatewaySettings) -> None:
    bus = InProcessBus()
    await bus.start()
    service = build(settings, bus)
    await service.start()
    assert service.checks()["gateway"]() is None
    assert service._server is not None
    service._server._server.should_exit = True
    async with asyncio.timeout(10):
        cause = await service.failed
    assert str(cause) == "the HTTP server has ended"
    assert service.checks()["gateway"]() == "the HTTP server has ended"
    await service.stop()
    await bus.stop()
