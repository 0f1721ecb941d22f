"""X-Tool-Credential in all dialects: what is given is stored sealed with what it came with, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from event_bus.in_process import InProcessBus
from file_store import FileStore
from gateway.adapters.sealing import fingerprint_of
from gateway.application import credentials
from gateway.application.course_catalogue import CourseCatalogue
from gateway.application.credentials import CredentialRefused, KeysNotKnown
from gateway.application.streams.hub import Hub
from gateway.bootstrap import surfaces, tool_calls, tool_services, use_cases
from gateway.entrypoints.http.app import build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.entrypoints.http.owlie.encrypted_ids import EncryptedIds
from gateway.settings import GatewaySettings
from observability.redaction import redact_text
from pydantic import SecretStr, ValidationError
from run_engine.errors import NotFound
from run_engine.process import EngineProcess
from tool_service import ToolContext, ToolService, ToolServiceRunner, calls
from tool_service.sealing import SealingKey, SealingKeys

KEY, OTHER = SealingKey.new(), SealingKey.new()
TOKEN = "0123456789abcdef-token-of-a-student"
HEADER = {"x-tool-credential": f"moodle={TOKEN}"}
COURSE = {"course_id": "51589", "modes": {"general": {"model": "demo"}}}
COURSES = CourseCatalogue.model_validate({"universities": {"u": {"d": {"s": {"c": COURSE}}}}})
HELLO = {"messages": [{"role": "user", "content": "hello"}]}


class Desk:
    """A tenant at a gateway of its own, with a bus of its own on which a key is announced."""

    def __init__(self, caller: Any, bus: InProcessBus, settings: GatewaySettings, make: Callable[..., Any]) -> None:
        self.caller = caller
        self.bus = bus
        self.ids = EncryptedIds(settings.owlie_key_list)
        self.cases, app = make(settings)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")
        self._make = make
        self._settings = settings

    def again(self, **changed: Any) -> httpx.AsyncClient:
        """The way to another gateway, with other settings."""
        _, app = self._make(self._settings.model_copy(update=changed))
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")

    async def announce(self, key: SealingKey | None, service: str = "moodle") -> None:
        record = calls.announcement(service, [], datetime.now(UTC), None if key is None else key.public)
        assert await self.bus.publisher.publish([record]) == [None]

    async def ask(self, method: str, path: str, body: Any, header: Any = HEADER, **more: str) -> httpx.Response:
        keys = {"authorization": f"Bearer {self.caller.key}", "api-key": self.caller.key}
        return await self.http.request(method, path, json=body, headers={**keys, **(header or {}), **more})

    async def made(self, method: str, path: str, body: Any, header: Any = HEADER, **more: str) -> httpx.Response:
        reply = await self.ask(method, path, body, header, **more)
        assert reply.status_code < 300, reply.text
        assert TOKEN not in reply.text + str(reply.headers)
        return reply

    async def sealed(self) -> list[tuple[str, str, str]]:
        """Thread, service and sealed credential of all that this tenant has given."""
        connection = await asyncpg.connect(self.caller._url)
        try:
            found = await connection.fetch(
                "SELECT thread_id, service, sealed FROM thread_credentials WHERE tenant_id = $1 ORDER BY given_at",
                self.caller.tenant,
            )
        finally:
            await connection.close()
        return [(row["thread_id"], row["service"], row["sealed"]) for row in found]

    async def opened(self, key: SealingKey = KEY) -> list[str]:
        """What the service reads of all that this tenant has given."""
        return [
            SealingKeys([key]).open(sealed, tenant=self.caller.tenant, thread_id=thread).get_secret_value()
            for thread, _, sealed in await self.sealed()
        ]


@pytest_asyncio.fixture
async def desk(
    caller: Any, engine: EngineProcess, settings: GatewaySettings, stored: FileStore, hub: Hub
) -> AsyncIterator[Desk]:
    bus = InProcessBus()
    await bus.start()

    def make(changed: GatewaySettings) -> Any:
        services = tool_services(bus, changed)
        cases = use_cases(engine, changed, stored, hub, services)
        dialects = surfaces(cases, changed, tool_calls(engine, changed, services, cases))
        return cases, build_app(dialects, largest_body=1024 * 1024, draining=Draining(), cors_origins=["*"])

    owlie = {"owlie_keys": SecretStr(Fernet.generate_key().decode()), "owlie_tenant": caller.tenant}
    desk = Desk(caller, bus, settings.model_copy(update={**owlie, "owlie_catalogue": COURSES}), make)
    await desk.announce(KEY)
    yield desk
    await desk.http.aclose()
    await bus.stop()


Doing = Callable[[Desk], Awaitable[tuple[str, str, Any]]]


async def openai_thread(_: Desk) -> tuple[str, str, Any]:
    return "POST", "/v1/threads", HELLO


async def openai_message(desk: Desk) -> tuple[str, str, Any]:
    return "POST", f"/v1/threads/{await desk.caller.thread()}/messages", HELLO["messages"][0]


async def openai_run(desk: Desk) -> tuple[str, str, Any]:
    body = {"assistant_id": await desk.caller.assistant()}
    return "POST", f"/v1/threads/{await desk.caller.thread('hello')}/runs", body


async def openai_thread_and_run(desk: Desk) -> tuple[str, str, Any]:
    return "POST", "/v1/threads/runs", {"assistant_id": await desk.caller.assistant(), "thread": HELLO}


async def entities_thread(desk: Desk) -> tuple[str, str, Any]:
    user = await desk.made("POST", "/entities/v1/users", {"name": "ada"}, None)
    return "POST", "/entities/v1/threads", {"participant_ids": [user.json()["id"]]}


async def entities_message(desk: Desk) -> tuple[str, str, Any]:
    method, path, body = await entities_thread(desk)
    thread = (await desk.made(method, path, body, None)).json()["id"]
    said = {"content": "hello", "thread_id": thread, "sender_id": body["participant_ids"][0]}
    return "POST", "/entities/v1/messages", said


async def agents_thread(desk: Desk) -> tuple[str, str, Any]:
    made = await desk.caller.post("/assistants", {"model": "demo"})
    number = str(await desk.cases.aliases.number(desk.caller.tenant, "assistant", made["id"]))
    return "POST", "/agents/v1/threads", {"assistant_id": number, "title": "t", "user_id": "ada"}


async def owlie_chat(desk: Desk) -> tuple[str, str, Any]:
    token = desk.ids.token("assistant", await desk.caller.assistant())
    return "POST", "/api/new", {"assistant_id": token}


async def owlie_question(desk: Desk) -> tuple[str, str, Any]:
    thread = desk.ids.token("thread", await desk.caller.thread())
    assistant = desk.ids.token("assistant", await desk.caller.assistant())
    return "POST", f"/api/threads/{thread}", {"content": "hello", "assistant_id": assistant}


EVERY = [
    openai_thread,
    openai_message,
    openai_run,
    openai_thread_and_run,
    entities_thread,
    entities_message,
    agents_thread,
    owlie_chat,
    owlie_question,
]


@pytest.mark.parametrize("what", EVERY)
async def test_every_dialect_takes_it_with_what_it_makes(desk: Desk, what: Doing) -> None:
    await desk.made(*await what(desk))
    assert await desk.opened() == [TOKEN]
    ((_, service, sealed),) = await desk.sealed()
    assert service == "moodle"
    assert TOKEN not in sealed


NOT_TAKEN = {
    f"weather={TOKEN}": "There is no tool service 'weather' here",
    TOKEN: "The header X-Tool-Credential is the name of a tool service",
    f"moodle={TOKEN} {TOKEN}": "The header X-Tool-Credential is the name of a tool service",
    f"moodle={'x' * 4097}": "The header X-Tool-Credential is the name of a tool service",
    f"moodle={TOKEN},moodle={TOKEN}": "names a tool service once",
    "": "The header X-Tool-Credential is the name of a tool service",
}


@pytest.mark.parametrize("what", EVERY)
async def test_what_is_not_taken_is_refused_and_nothing_is_made(desk: Desk, what: Doing) -> None:
    asked = await what(desk)
    before = await desk.caller.rows()
    for header, told in NOT_TAKEN.items():
        reply = await desk.ask(*asked, {"x-tool-credential": header})
        assert reply.status_code in {400, 422}
        assert told in reply.text
        assert TOKEN not in reply.text
    assert await desk.caller.rows() == before
    assert await desk.sealed() == []


async def test_a_service_without_a_key_takes_none(desk: Desk) -> None:
    await desk.announce(None)
    error = (await desk.ask("POST", "/v1/threads", HELLO)).json()["error"]
    assert error == {
        "message": "The tool service 'moodle' takes no credentials: it has announced no key that this server trusts.",
        "type": "invalid_request_error",
        "param": "X-Tool-Credential",
        "code": "tool_credential_refused",
    }


async def test_only_pinned_keys_are_taken(desk: Desk) -> None:
    pinned = f"moodle={OTHER.fingerprint},moodle={KEY.fingerprint}"
    async with desk.again(tool_service_keys=f"moodle={OTHER.fingerprint}") as http:
        desk.http = http
        assert (await desk.ask("POST", "/v1/threads", HELLO)).status_code == 400
        await desk.announce(OTHER)
        await desk.made("POST", "/v1/threads", HELLO)
        # Whoever else announces is not listened to, and the key that is trusted stays.
        await desk.announce(KEY)
        await desk.made("POST", "/v1/threads", HELLO)
    assert await desk.opened(OTHER) == [TOKEN, TOKEN]
    async with desk.again(tool_service_keys=pinned) as desk.http:
        await desk.made("POST", "/v1/threads", HELLO)
    assert (await desk.sealed())[-1][2].startswith(fingerprint_of(KEY.public)[:16])


@pytest.mark.parametrize("pins", ["moodle", "moodle=abc", f"moodle={KEY.fingerprint.upper()}", "=" + KEY.fingerprint])
def test_pins_are_fingerprints(settings: GatewaySettings, pins: str) -> None:
    with pytest.raises(ValidationError, match="fingerprints of their keys"):
        GatewaySettings(database_url=settings.database_url, tool_service_keys=pins)


async def test_a_newer_one_replaces_it_and_an_empty_one_takes_it_back(desk: Desk) -> None:
    thread = (await desk.made("POST", "/v1/threads", HELLO)).json()["id"]
    path, message = f"/v1/threads/{thread}/messages", HELLO["messages"][0]
    await desk.made("POST", path, message, {"x-tool-credential": f"moodle={TOKEN}-newer"})
    assert await desk.opened() == [f"{TOKEN}-newer"]
    await desk.made("POST", path, message, None)
    assert await desk.opened() == [f"{TOKEN}-newer"]
    await desk.made("POST", path, message, {"x-tool-credential": "moodle="})
    assert await desk.sealed() == []


async def test_what_the_engine_refuses_leaves_the_one_before(desk: Desk) -> None:
    method, path, body = await openai_run(desk)
    await desk.made(method, path, body)
    reply = await desk.ask(method, path, body, {"x-tool-credential": "moodle=of-somebody-else"})
    assert "already has an active run" in reply.text
    assert await desk.opened() == [TOKEN]


async def test_a_repeated_request_is_the_same_whatever_it_brings(desk: Desk) -> None:
    first = await desk.made("POST", "/v1/threads", HELLO, **{"idempotency-key": "one"})
    other = {"x-tool-credential": "moodle=another"}
    again = await desk.made("POST", "/v1/threads", HELLO, other, **{"idempotency-key": "one"})
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert await desk.opened() == [TOKEN]


async def test_requests_that_make_nothing_do_not_look_at_the_service(desk: Desk) -> None:
    thread = await desk.caller.thread()
    await desk.made("GET", f"/v1/threads/{thread}", None, {"x-tool-credential": "weather=sunny"})
    assert await desk.sealed() == []


async def test_streamed_answers_take_it_along(desk: Desk) -> None:
    _, path, body = await openai_run(desk)

    async def stream(method: str, path: str, **request: Any) -> None:
        async with asyncio.timeout(10):
            reading = asyncio.create_task(desk.http.request(method, path, headers=headers, **request))
            while not await desk.sealed():
                await asyncio.sleep(0.01)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    headers = {"authorization": f"Bearer {desk.caller.key}", **HEADER}
    await stream("POST", path, json=body | {"stream": True})
    assert await desk.opened() == [TOKEN]


async def test_nobody_knows_the_keys_while_the_announcements_cannot_be_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(_self: Any, _service: str) -> str:
        raise KeysNotKnown

    monkeypatch.setattr("gateway.adapters.tool_bus.ToolServicesOnBus.public_key", unknown)
    for what in (openai_thread, entities_thread, agents_thread, owlie_chat):
        reply = await desk.ask(*await what(desk))
        assert reply.status_code == 503
        assert reply.headers["retry-after"] == "1"


async def test_the_use_case_gives_one_by_itself(desk: Desk) -> None:
    thread, tenant, cases = await desk.caller.thread(), desk.caller.tenant, desk.cases.credentials
    await cases.give(tenant, thread, "moodle", SecretStr(TOKEN))
    assert await desk.opened() == [TOKEN]
    await cases.give(tenant, thread, "moodle", SecretStr(""))
    assert await desk.sealed() == []
    with pytest.raises(NotFound):
        await cases.give(tenant, "thread_none", "moodle", SecretStr(TOKEN))
    with pytest.raises(CredentialRefused):
        await cases.give("tenant-of-nobody", thread, "moodle", SecretStr(TOKEN))


async def test_a_course_is_read_with_it_outside_of_runs(desk: Desk) -> None:
    given: list[SecretStr | None] = []
    service = ToolService(name="moodle")

    @service.function(timeout=10)
    async def get_moodle_course_content(courseid: str, context: ToolContext) -> str:
        """Fetches."""
        given.append(context.credential)
        return courseid

    runner = ToolServiceRunner("moodle", service.functions, desk.bus, keys=SealingKeys([KEY]))
    await runner.start()
    path, body = "/api/tools/get_moodle_course_content", {"courseid": "51589"}
    try:
        async with asyncio.timeout(10):
            while (reply := await desk.ask("POST", path, body)).status_code == 503:
                await asyncio.sleep(0.01)
        assert reply.json() == {"status": "success", "content": "51589"}
        await desk.made("POST", path, body, None)
        refused = await desk.ask("POST", path, body, {"x-tool-credential": f"weather={TOKEN}"})
        assert refused.status_code == 422
    finally:
        await runner.stop()
    assert given == [SecretStr(TOKEN), None]
    assert await desk.sealed() == []


async def test_pages_of_other_origins_may_send_it(desk: Desk) -> None:
    asks = {"origin": "https://chat.example.org", "access-control-request-method": "POST"}
    reply = await desk.http.options(
        "/v1/threads", headers=asks | {"access-control-request-headers": "x-tool-credential"}
    )
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-headers"] == "x-tool-credential"


async def test_no_log_line_shows_it_while_the_request_is_answered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    along = credentials.Credentials.along

    async def watched(self: Any, *arguments: Any) -> Any:
        seen.append(redact_text(f"sent {TOKEN}"))
        return await along(self, *arguments)

    monkeypatch.setattr(credentials.Credentials, "along", watched)
    await desk.made("POST", "/v1/threads", HELLO)
    assert seen == ["sent ***"]
    assert redact_text(f"sent {TOKEN}") == f"sent {TOKEN}"
