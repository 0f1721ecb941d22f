"""Messages are changed and deleted over HTTP; deleting waits for the end of a run."""

from typing import Any

import pytest
from engine_world import answer, new_id


async def with_message(caller: Any, **fields: Any) -> tuple[str, Any]:
    thread_id = await caller.thread()
    made = await caller.post(f"/threads/{thread_id}/messages", {"role": "user", "content": "hello", **fields})
    return f"/threads/{thread_id}/messages/{made['id']}", made


async def test_modify(caller: Any) -> None:
    path, made = await with_message(caller, metadata={"a": "1"})
    assert await caller.post(path, {}) == made
    changed = await caller.post(path, {"metadata": {"b": "2"}})
    assert changed == made | {"metadata": {"a": "1", "b": "2"}}
    assert await caller.get(path) == changed
    assert (await caller.post(path, {"metadata": {"a": ""}}))["metadata"] == {"b": "2"}
    assert (await caller.post(path, {"metadata": None}))["metadata"] == {}
    for body in ({"content": "x"}, {"role": "assistant"}):
        assert (await caller.refused("POST", path, json=body))["code"] == "unknown_parameter"


async def test_modify_under_a_run(caller: Any) -> None:
    run = await caller.run()
    path = f"/threads/{run['thread_id']}/messages"
    message = (await caller.get(path))["data"][0]
    assert (await caller.post(f"{path}/{message['id']}", {"metadata": {"a": "b"}}))["metadata"] == {"a": "b"}


@pytest.mark.parametrize("kind", ["assistant", "thread", "message", "run"])
async def test_metadata_that_becomes_too_much(caller: Any, kind: str) -> None:
    run = await caller.run()
    thread = f"/threads/{run['thread_id']}"
    message = (await caller.get(f"{thread}/messages"))["data"][0]
    path = {
        "assistant": f"/assistants/{run['assistant_id']}",
        "thread": thread,
        "message": f"{thread}/messages/{message['id']}",
        "run": f"{thread}/runs/{run['id']}",
    }[kind]
    ten = {f"a{number}": "x" for number in range(10)}
    await caller.post(path, {"metadata": ten})
    error = await caller.refused("POST", path, json={"metadata": {f"b{number}": "x" for number in range(7)}})
    assert error == {
        "message": "Invalid 'metadata': too many properties. "
        "Expected an object with at most 16 properties, but got an object with 17 properties instead.",
        "type": "invalid_request_error",
        "param": "metadata",
        "code": "object_above_max_properties",
    }
    assert (await caller.get(path))["metadata"] == ten


async def test_delete(caller: Any) -> None:
    path, made = await with_message(caller)
    assert await caller.delete(path) == {"id": made["id"], "object": "thread.message.deleted", "deleted": True}
    for method in ("GET", "POST", "DELETE"):
        body = {"json": {"metadata": {"a": "b"}}} if method == "POST" else {}
        error = await caller.refused(method, path, 404, **body)
        assert error["message"] == f"No message found with id '{made['id']}'."
    assert await caller.count("messages") == 0
    thread_path = path.rpartition("/")[0]
    assert (await caller.get(thread_path))["data"] == []


async def test_delete_what_a_run_wrote(caller: Any) -> None:
    run = await caller.run()
    claimed = await caller.worker.driving.claim(caller.tenant, run["id"])
    written = answer("the answer")
    path = f"/threads/{run['thread_id']}/messages/{written.message_id}"
    user = (await caller.get(f"/threads/{run['thread_id']}/messages"))["data"][0]["id"]
    error = await caller.refused("DELETE", f"/threads/{run['thread_id']}/messages/{user}")
    assert error["message"] == f"Can't delete messages from {run['thread_id']} while a run {run['id']} is active."
    await caller.worker.driving.finish(claimed, written)
    await caller.delete(path)
    (step,) = (await caller.get(f"/threads/{run['thread_id']}/runs/{run['id']}/steps"))["data"]
    assert step["step_details"]["message_creation"]["message_id"] == written.message_id
    await caller.refused("GET", path, 404)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_what_is_missing_is_named(caller: Any, new_caller: Any, method: str) -> None:
    path, made = await with_message(caller)
    body = {"json": {"metadata": {"a": "b"}}} if method == "POST" else {}
    error = await caller.refused(method, f"/threads/thread_missing/messages/{made['id']}", 404, **body)
    assert error["message"] == "No thread found with id 'thread_missing'."
    missing = new_id("message")
    error = await caller.refused(method, f"{path.rpartition('/')[0]}/{missing}", 404, **body)
    assert error["message"] == f"No message found with id '{missing}'."
    stranger = await new_caller()
    await stranger.refused(method, path, 404, **body)
    assert await caller.get(path) == made
