"""A conversation as the document of entities_api tells it: people, an interrupted answer, tools that speak."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest_asyncio
from entities_seed import INTERRUPTED_ANSWER, THREAD, TOOL_MESSAGE, USER_MESSAGE, shape
from installation import Installation
from scripted_model import ScriptedModel
from threadworks import demo

POLLS_SECONDS = 0.02
ENDED = {"completed", "failed", "cancelled", "expired"}
FLIGHTS = {
    "name": "get_flight_times",
    "description": "Get the flight times between two cities.",
    "parameters": {"type": "object", "properties": {"departure": {"type": "string"}}, "required": ["departure"]},
}


class App:
    """An app of entities_api: its requests, and nothing else."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def sends(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        reply = await self.http.request(method, path, **request)
        assert reply.status_code == status, reply.text
        return reply.json() if reply.content else None

    async def say(self, thread: str, user: str, content: str) -> Any:
        body = {"content": content, "thread_id": thread, "sender_id": user, "role": "user", "meta_data": {}}
        return await self.sends("POST", "/messages", json=body)

    async def run(self, thread: str, assistant: str) -> Any:
        return await self.sends("POST", "/runs", json={"assistant_id": assistant, "thread_id": thread})

    async def until(self, run: Any, *statuses: str) -> Any:
        async with asyncio.timeout(60):
            while (shown := await self.sends("GET", f"/runs/{run['id']}"))["status"] not in statuses:
                await asyncio.sleep(POLLS_SECONDS)
        return shown

    async def asked(self, thread: str, user: str, assistant: str, content: str) -> Any:
        """What the assistant answers, once it has."""
        await self.say(thread, user, content)
        ended = await self.until(await self.run(thread, assistant), *ENDED)
        assert (ended["status"], ended["last_error"]) == ("completed", None)
        return (await self.messages(thread, order="desc", limit="1"))[0]

    async def messages(self, thread: str, **query: str) -> Any:
        return await self.sends("GET", f"/threads/{thread}/messages", params=query)


@pytest_asyncio.fixture
async def app(installation: Installation) -> AsyncIterator[App]:
    url = installation.url.removesuffix("/v1") + "/entities/v1"
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": demo.KEY}, timeout=60) as http:
        yield App(http)


async def test_a_conversation_with_an_interrupted_answer(app: App, model: ScriptedModel) -> None:
    user = (await app.sends("POST", "/users", json={"name": "Francis"}))["id"]
    assistant = (await app.sends("POST", "/assistants", json={"name": "Nexa", "model": "demo"}))["id"]
    await app.sends("POST", f"/users/{user}/assistants/{assistant}")
    made = await app.sends("POST", "/threads", json={"participant_ids": [user], "meta_data": {"topic": ""}})
    assert made.pop("participants") == [{"id": user, "name": "Francis"}]
    assert shape(made) == shape(THREAD)
    thread = made["id"]
    assert await app.sends("GET", f"/users/{user}/threads") == {"thread_ids": [thread]}

    answer = await app.asked(thread, user, assistant, model.say("Hello! ", "It's nice to meet you."))
    assert answer["content"] == "Hello! It's nice to meet you."
    assert (answer["assistant_id"], answer["sender_id"]) == (assistant, "assistant")

    # The interrupt button: nobody streams, and what was written so far stays all the same.
    gate = model.gate()
    await app.say(thread, user, model.say('"Time travel, ', "a staple of science fiction", {"gate": gate}, " …"))
    run = await app.run(thread, assistant)
    await asyncio.to_thread(model.wait, gate=gate)
    assert (await app.sends("POST", f"/runs/{run['id']}/cancel"))["status"] == "cancelled"
    cut = (await app.messages(thread))[-1]
    assert cut["content"] == '"Time travel, a staple of science fiction'
    expected = {**INTERRUPTED_ANSWER, "assistant_id": assistant, "run_id": run["id"]}
    assert shape(cut) == shape(expected)

    # The conversation goes on at once.
    worked = await app.asked(thread, user, assistant, model.say("Glad that it worked."))
    assert worked["content"] == "Glad that it worked."
    listed = await app.messages(thread)
    assert [each["role"] for each in listed] == ["user", "assistant"] * 3
    assert shape(listed[0]) == shape(USER_MESSAGE)

    await app.sends("DELETE", f"/threads/{thread}", 204)
    assert await app.sends("GET", f"/threads/{thread}/messages", 404) == {"detail": "Thread not found"}


async def test_a_tool_of_the_app_is_an_action(app: App, model: ScriptedModel) -> None:
    user = (await app.sends("POST", "/users"))["id"]
    assistant = (await app.sends("POST", "/assistants", json={"name": "Flighty", "model": "demo"}))["id"]
    body = {"name": "get_flight_times", "type": "function", "function": {"function": FLIGHTS}}
    tool = (await app.sends("POST", "/tools", json=body))["id"]
    await app.sends("POST", f"/assistants/{assistant}/tools/{tool}")
    thread = (await app.sends("POST", "/threads", json={"participant_ids": [user]}))["id"]

    call = {"tool_call": {"name": "get_flight_times", "arguments": '{"departure": "LAX"}'}}
    await app.say(thread, user, model.will({"steps": [call]}, {"steps": ["It leaves at nine."]}))
    run = await app.run(thread, assistant)
    assert (await app.until(run, "action_required", *ENDED))["status"] == "action_required"
    (pending,) = await app.sends("GET", f"/runs/{run['id']}/actions/status")
    asked = {"run_id": run["id"], "tool_name": "get_flight_times", "function_args": {"departure": "LAX"}}
    assert await app.sends("POST", "/actions", json=asked) == pending
    assert pending["tool_id"] == tool
    await app.sends("PUT", f"/actions/{pending['id']}", json={"status": "completed", "result": {"leaves": "09:00"}})
    assert (await app.until(run, *ENDED))["status"] == "completed"
    _, told, answer = await app.messages(thread)
    assert shape(told) == shape({**TOOL_MESSAGE, "run_id": run["id"]})
    assert orjson.loads(told["content"]) == {"leaves": "09:00"}
    assert answer["content"] == "It leaves at nine."


async def test_a_tool_service_speaks_in_the_thread(app: App) -> None:
    user = (await app.sends("POST", "/users", json={"name": "ada"}))["id"]
    thread = (await app.sends("POST", "/threads", json={"participant_ids": [user]}))["id"]
    # The demo assistant has no id of this dialect's making; the one that the ready line prints is taken.
    answer = await app.asked(thread, user, demo.ASSISTANT, "gib mir die termine von moodle")
    question, told, said = await app.messages(thread)
    assert said == answer
    assert "25.10." in said["content"]
    assert (told["role"], told["sender_id"], told["run_id"]) == ("tool", "tool", said["run_id"])
    assert "25.10." in told["content"]
    assert await app.sends("GET", f"/messages/{told['id']}") == told
    formatted = await app.sends("GET", f"/threads/{thread}/formatted_messages")
    assert [each["role"] for each in formatted] == ["system", "user", "tool", "assistant"]
    assert formatted[1]["content"] == question["content"]
    (action,) = await app.sends("GET", f"/runs/{said['run_id']}/actions/status", params={"status": "completed"})
    assert (action["tool_name"], action["function_args"]) == ("get_moodle_course_content", {"courseid": "51589"})
