"""The generated Ruby client of version 1: a session with all of its 27 operations, and files for the assistant."""

import httpx
from installation import Installation
from ruby_client import OPERATIONS, VERSION_1, Client, stream_facts
from scripted_model import ScriptedModel
from threadworks import demo

LOOK_UP = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
ASKS = {"tool_call": {"name": "look_up", "arguments": {}}}


async def uploaded(http: httpx.AsyncClient, name: str) -> str:
    """A file, uploaded as by any client: the Ruby client has it in another part."""
    reply = await http.post(
        "/files",
        files={"file": (name, b"content")},
        data={"purpose": "assistants"},
        headers={"authorization": f"Bearer {demo.KEY}"},
    )
    assert reply.status_code == 200, reply.text
    return str(reply.json()["id"])


async def told(http: httpx.AsyncClient, place: dict[str, str], status: str) -> None:
    """Return when the run tells that it has a status; the stream has to be one of version 1."""
    facts = stream_facts(None)
    headers = {"authorization": f"Bearer {demo.KEY}", **VERSION_1}
    path = f"/threads/{place['thread_id']}/runs/{place['run_id']}/events"
    async with http.stream("GET", path, headers=headers) as reply:
        assert reply.status_code == 200
        async for piece in reply.aiter_bytes():
            facts.feed(piece)
            if f"thread.run.{status}" in facts.names:
                break
    assert facts.problems == []


async def test_a_session_with_every_operation(installation: Installation, model: ScriptedModel) -> None:
    async with httpx.AsyncClient(base_url=installation.url, timeout=60) as http:
        ruby = Client(http, demo.KEY)
        files = [await uploaded(http, f"{number}.txt") for number in range(3)]
        tools = [{"type": "retrieval"}, LOOK_UP]
        assistant = await ruby.call("create_assistant", {"model": "demo"}, name="Ada", tools=tools, file_ids=files[:1])
        place = {"assistant_id": assistant["id"], "file_id": files[1], "content": "hello"}
        assert (await ruby.call("list_assistants", {}, query={"limit": 1}))["data"] == [assistant]
        attached = await ruby.call("create_assistant_file", place)
        assert await ruby.call("get_assistant_file", place) == attached
        listed = await ruby.call("list_assistant_files", place)
        assert [each["id"] for each in listed["data"]] == files[:2]

        thread = await ruby.call("create_thread", {}, metadata={"a": "b"})
        place |= {"thread_id": thread["id"]}
        assert await ruby.call("get_thread", place) == thread
        assert (await ruby.call("modify_thread", place, metadata={"c": "d"}))["metadata"] == {"a": "b", "c": "d"}
        question = model.will({"steps": [ASKS]}, {"steps": ["It ", "is."]})
        message = await ruby.call("create_message", {**place, "content": question}, file_ids=files[2:])
        place |= {"message_id": message["id"]}
        assert await ruby.call("get_message", place) == message
        assert (await ruby.call("modify_message", place, metadata={"e": "f"}))["metadata"] == {"e": "f"}
        shown = await ruby.call("get_message_file", {**place, "file_id": files[2]})
        assert (await ruby.call("list_message_files", place))["data"] == [shown]

        run = await ruby.call("create_run", place)
        assert (run["file_ids"], run["tools"][0]) == (files[:2], {"type": "retrieval"})
        place |= {"run_id": run["id"]}
        await told(http, place, "requires_action")
        waiting = await ruby.call("get_run", place)
        assert waiting["status"] == "requires_action"
        (step,) = (await ruby.call("list_run_steps", place))["data"]
        assert await ruby.call("get_run_step", {**place, "step_id": step["id"]}) == step
        outputs = [
            {"tool_call_id": each["id"], "output": "found"}
            for each in waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
        ]
        await ruby.call("submit_tool_ouputs_to_run", place, tool_outputs=outputs)
        await told(http, place, "completed")
        done = await ruby.call("modify_run", place, metadata={"g": "h"})
        assert (done["status"], done["metadata"]) == ("completed", {"g": "h"})
        assert (await ruby.call("list_runs", place))["data"] == [done]
        _, said = (await ruby.call("list_messages", place))["data"]
        assert said["content"] == [{"type": "text", "text": {"value": "It is.", "annotations": []}}]

        asked = {"messages": [{"role": "user", "content": model.will({"steps": [ASKS]})}]}
        other = await ruby.call("create_thread_and_run", place, thread=asked)
        others = {"thread_id": other["thread_id"], "run_id": other["id"]}
        await told(http, others, "requires_action")
        assert (await ruby.call("cancel_run", others))["status"] == "cancelled"

        await ruby.call("delete_assistant_file", place)
        assert (await ruby.call("get_assistant", place))["file_ids"] == files[:1]
        for ids in (place, others):
            await ruby.call("delete_thread", ids)
        await ruby.call("delete_assistant", place)
        assert ruby.called == set(OPERATIONS)
