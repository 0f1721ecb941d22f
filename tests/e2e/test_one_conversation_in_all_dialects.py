"""One conversation that walks through all dialects: begun in one, asked in the next, and found whole in each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio
from cryptography.fernet import Fernet
from installation import Installation
from owlie_front_end import FrontEnd
from run_engine.domain import ids, renderings
from threadworks import demo

POLLS_SECONDS = 0.02
HELLO, DATES, JAVA = "Hallo, ich bin Ada", "was sind die termine für diesen kurs", "was ist java in 3 worten"


class Way:
    """The requests of one dialect."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def sends(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        reply = await self.http.request(method, path, **request)
        assert reply.status_code == status, reply.text
        return reply.json() if reply.content else None

    async def until_ended(self, path: str) -> Any:
        async with asyncio.timeout(60):
            while (shown := await self.sends("GET", path))["status"] not in {"completed", "failed", "cancelled"}:
                await asyncio.sleep(POLLS_SECONDS)
        assert shown["status"] == "completed"
        return shown


@pytest_asyncio.fixture
async def ways(installation: Installation) -> AsyncIterator[dict[str, Way]]:
    root = installation.url.removesuffix("/v1")
    headers = {
        "/entities/v1": {"x-api-key": demo.KEY},
        "": {},
        "/v1": {"authorization": f"Bearer {demo.KEY}"},
        "/agents/v1": {"api-key": demo.KEY},
    }
    async with AsyncExitStack() as stack:
        clients = {
            path: httpx.AsyncClient(base_url=root + path, headers=each, timeout=60) for path, each in headers.items()
        }
        yield {path: Way(await stack.enter_async_context(client)) for path, client in clients.items()}


class Names:
    """The id of one thread in each dialect: renderings of one number, and a token."""

    def __init__(self, entities_id: str, installation: Installation) -> None:
        number = renderings.read_short(entities_id.removeprefix("thread_"))
        assert number is not None
        self.entities = entities_id
        self.openai = ids.render("thread", number)
        self.agents = str(number)
        key = (installation.data_dir / "owlie-keys").read_text().strip()
        self.owlie = Fernet(key).encrypt(self.openai.encode()).decode()


async def test_one_conversation_in_all_dialects(installation: Installation, ways: dict[str, Way]) -> None:
    entities, openai, agents = ways["/entities/v1"], ways["/v1"], ways["/agents/v1"]
    front_end = FrontEnd(ways[""].http)

    # Created in /entities, by a person.
    ada = (await entities.sends("POST", "/users", json={"name": "Ada"}))["id"]
    made = await entities.sends("POST", "/threads", json={"participant_ids": [ada], "meta_data": {"topic": "Kurs"}})
    thread = Names(made["id"], installation)
    body = {"content": HELLO, "thread_id": thread.entities, "sender_id": ada, "role": "user"}
    hello = await entities.sends("POST", "/messages", json=body)
    run = await entities.sends("POST", "/runs", json={"assistant_id": demo.ASSISTANT, "thread_id": thread.entities})
    await entities.until_ended(f"/runs/{run['id']}")

    # Asked in /api, where a tool service has to answer.
    query = {"course_name": "Tutorinnenqualifizierung", "mode_name": "general"}
    assistant = (await front_end.get("/api/get_assistant_ids", **query))["assistant_id"]
    asked = await front_end.ask(thread.owlie, DATES, assistant)
    async with asyncio.timeout(60):
        while (await front_end.status(thread.owlie, asked["run_id"]))["status"] != "completed":
            await asyncio.sleep(POLLS_SECONDS)

    # Read in /v1.
    page = await openai.sends("GET", f"/threads/{thread.openai}/messages", params={"order": "asc"})
    texts = [(each["role"], each["content"][0]["text"]["value"]) for each in page["data"]]
    assert [role for role, _ in texts] == ["user", "assistant", "user", "assistant"]
    assert (texts[0][1], texts[2][1]) == (HELLO, DATES)
    assert "25.10." in texts[3][1]

    # Run in /agents/v1.
    path = f"/threads/{thread.agents}"
    await agents.sends("POST", f"{path}/messages", json={"role": "user", "content": JAVA})
    answer = await agents.sends("POST", f"{path}/run", json={"assistant_id": demo.ASSISTANT})
    assert answer["thread_id"] == thread.agents

    # Found whole in each. Tools have a voice in /entities and /agents alone; the others never had one.
    page = await openai.sends("GET", f"/threads/{thread.openai}/messages", params={"order": "asc"})
    conversation = [(each["role"], each["content"][0]["text"]["value"]) for each in page["data"]]
    assert conversation[:4] == texts
    assert conversation[4:] == [("user", JAVA), ("assistant", answer["content"])]

    in_entities = await entities.sends("GET", f"/threads/{thread.entities}/messages")
    in_agents = await agents.sends("GET", f"{path}/messages")
    in_api = await front_end.messages(thread.owlie)
    assert [(each["role"], each["content"]) for each in reversed(in_api)] == conversation
    # /agents/v1 also shows where the assistant asked for the call, as chat completions do.
    asking = [each for each in in_agents if "tool_calls" in each]
    assert [each["tool_calls"][0]["function"]["name"] for each in asking] == ["get_moodle_course_content"]
    in_agents = [each for each in in_agents if each not in asking]
    for told in (in_entities, in_agents):
        assert [(each["role"], each["content"]) for each in told if each["role"] != "tool"] == conversation
        assert [each["role"] for each in told].index("tool") == 3
        assert "25.10." in told[3]["content"]

    # The same messages, each with one number in all of them.
    assert in_entities[0] == hello
    assert in_entities[0]["sender_id"] == ada
    numbers = [renderings.read_short(each["id"].removeprefix("message_")) for each in in_entities]
    assert [str(number) for number in numbers] == [each["id"] for each in in_agents]
    spoken = [number for number, each in zip(numbers, in_entities, strict=True) if each["role"] != "tool"]
    assert [ids.read("message", each["id"]) for each in page["data"]] == spoken
    assert [each["id"] for each in reversed(in_api)] == [each["id"] for each in page["data"]]
    assert UUID(answer["id"]) == spoken[-1]

    # What /entities said of the thread, /v1 shows; deleted in one, it is gone in all.
    assert (await openai.sends("GET", f"/threads/{thread.openai}"))["metadata"] == {"topic": "Kurs"}
    await openai.sends("DELETE", f"/threads/{thread.openai}")
    await entities.sends("GET", f"/threads/{thread.entities}", 404)
    await agents.sends("GET", path, 404)
    assert await front_end.refused("GET", f"/api/threads/{thread.owlie}", 404) == "No thread has this id."
    assert await entities.sends("GET", f"/users/{ada}/threads") == {"thread_ids": []}
