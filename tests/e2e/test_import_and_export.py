"""A dump of another installation is brought in, and the official SDK goes on with it as if nothing had happened."""

import httpx
import orjson
from conformance import api_objects
from installation import Installation
from openai import AsyncOpenAI, BadRequestError
from threadworks import demo


async def _import(installation: Installation, objects: list[object]) -> httpx.Response:
    body = b"\n".join(orjson.dumps(each) for each in objects)
    headers = {"authorization": f"Bearer {demo.KEY}", "content-type": "application/x-ndjson"}
    async with httpx.AsyncClient(timeout=30) as http:
        return await http.post(f"{installation.url}/import", content=body, headers=headers)


async def _export(installation: Installation, thread_id: str) -> list[object]:
    headers = {"authorization": f"Bearer {demo.KEY}"}
    async with (
        httpx.AsyncClient(timeout=30) as http,
        http.stream("GET", f"{installation.url}/export", params={"thread_id": thread_id}, headers=headers) as reply,
    ):
        assert reply.status_code == 200
        assert "content-length" not in reply.headers
        return [orjson.loads(line) async for line in reply.aiter_lines()]


async def test_the_sdk_goes_on_with_what_was_imported(installation: Installation) -> None:
    client = installation.client()
    calls = [api_objects.function_call("call_a"), api_objects.function_call("call_b")]
    question = [{"type": "text", "text": {"value": "What is six times seven?", "annotations": []}}]
    messages = [
        api_objects.message(id=f"msg_{number}", role="user", content=question, run_id=None) for number in range(5)
    ]
    waiting = api_objects.waiting("call_a", "call_b", model="demo")
    step = api_objects.step(*calls, status="in_progress", completed_at=None, usage=None)
    done = api_objects.run(id="run_done", model="demo")
    assistant = api_objects.assistant(model="demo")
    report = await _import(
        installation, [*messages, step, waiting, done, api_objects.writing(run_id="run_done"), assistant, _thread()]
    )
    assert report.status_code == 200, report.text

    beta = client.beta
    assert (await beta.assistants.retrieve("asst_abc123")).to_dict() == assistant
    listed = [each.id async for each in beta.threads.messages.list("thread_abc123", order="asc", limit=2)]
    assert listed == [message["id"] for message in messages], "messages of one second keep the order of the import"
    older = await beta.threads.messages.list("thread_abc123", limit=2, after="msg_3")
    assert [each.id for each in older.data] == ["msg_2", "msg_1"]
    shown = await beta.threads.runs.retrieve("run_abc123", thread_id="thread_abc123")
    assert shown.to_dict() == waiting
    assert (await _runs(client)) == ["run_done", "run_abc123"]
    try:
        await beta.threads.messages.create("thread_abc123", role="user", content="too early")
    except BadRequestError as refused:
        assert "while a run run_abc123 is active" in refused.message
    else:
        raise AssertionError("the imported run locks its thread")

    ended = await beta.threads.runs.submit_tool_outputs_and_poll(
        run_id="run_abc123",
        thread_id="thread_abc123",
        tool_outputs=[{"tool_call_id": "call_a", "output": "40"}, {"tool_call_id": "call_b", "output": "2"}],
    )
    assert (ended.status, ended.last_error) == ("completed", None)
    steps = (await beta.threads.runs.steps.list("run_abc123", thread_id="thread_abc123", order="asc")).data
    assert [(each.id == "step_abc123", each.type, each.status) for each in steps] == [
        (True, "tool_calls", "completed"),
        (False, "message_creation", "completed"),
    ]
    again = await beta.threads.runs.create_and_poll(thread_id="thread_abc123", assistant_id="asst_abc123")
    assert again.status == "completed"

    exported = await _export(installation, "thread_abc123")
    # What has gone on here is this server's own by now, and is not overwritten.
    refused = await _import(installation, exported)
    assert refused.status_code == 400
    assert {each["id"] for each in refused.json()["refused"] if each["object"] == "thread.run"} == {
        "run_abc123",
        again.id,
    }
    assert (await beta.threads.delete("thread_abc123")).deleted
    assert (await beta.assistants.delete("asst_abc123")).deleted
    taken_back = await _import(installation, exported)
    assert taken_back.status_code == 200, taken_back.text
    assert await _export(installation, "thread_abc123") == exported
    assert (await beta.threads.delete("thread_abc123")).deleted


async def _runs(client: AsyncOpenAI) -> list[str]:
    return [each.id async for each in client.beta.threads.runs.list("thread_abc123", order="desc", limit=1)]


def _thread() -> object:
    return api_objects.thread(tool_resources={})
