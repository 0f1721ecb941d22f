"""Threads and messages over HTTP."""

from typing import Any

import pytest
from engine_world import answer


@pytest.mark.parametrize("content", [b"[]", b"{}", b"", b" \n", b"null"])
async def test_an_empty_thread_in_every_way_clients_ask_for_it(caller: Any, content: bytes) -> None:
    if content == b"null":
        await caller.refused("POST", "/threads", content=content, headers={"content-type": "application/json"})
        return
    response = await caller.http.post("/threads", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 200
    made = response.json()
    assert made == {
        "id": made["id"],
        "object": "thread",
        "created_at": made["created_at"],
        "metadata": {},
        "tool_resources": {},
    }


async def test_no_body_and_no_content_type(caller: Any) -> None:
    assert (await caller.http.post("/threads")).status_code == 200


async def test_a_thread_with_messages(caller: Any) -> None:
    made = await caller.post(
        "/threads",
        {
            "messages": [
                {"role": "user", "content": "first", "metadata": {"n": "1"}},
                {"role": "assistant", "content": [{"type": "text", "text": "second"}]},
            ],
            "metadata": {"a": "b"},
            "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}},
        },
    )
    assert made["metadata"] == {"a": "b"}
    assert made["tool_resources"] == {"file_search": {"vector_store_ids": ["vs_1"]}}
    page = await caller.get(f"/threads/{made['id']}/messages", order="asc")
    assert [(each["role"], each["content"][0]["text"]["value"]) for each in page["data"]] == [
        ("user", "first"),
        ("assistant", "second"),
    ]
    assert page["data"][0]["metadata"] == {"n": "1"}


async def test_modify_thread(caller: Any) -> None:
    made = await caller.post("/threads", {"metadata": {"a": "b"}})
    path = f"/threads/{made['id']}"
    assert await caller.post(path, {}) == made
    assert (await caller.post(path, {"metadata": {"c": "d"}}))["metadata"] == {"a": "b", "c": "d"}
    assert (await caller.post(path, {"metadata": {"a": ""}}))["metadata"] == {"c": "d"}
    changed = await caller.post(path, {"tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}}})
    assert changed["tool_resources"] == {"code_interpreter": {"file_ids": ["file-1"]}}
    assert changed["metadata"] == {"c": "d"}
    emptied = await caller.post(path, {"metadata": None, "tool_resources": None})
    assert emptied == made | {"metadata": {}}
    assert await caller.get(path) == emptied


async def test_delete_thread_takes_everything_along(caller: Any) -> None:
    run = await caller.run()
    path = f"/threads/{run['thread_id']}"
    assert await caller.delete(path) == {"id": run["thread_id"], "object": "thread.deleted", "deleted": True}
    for gone in ("", "/messages", "/runs", f"/runs/{run['id']}", f"/runs/{run['id']}/steps"):
        error = await caller.refused("GET", path + gone, 404)
        assert error["message"] == f"No thread found with id '{run['thread_id']}'."


async def test_a_message_has_every_field(caller: Any) -> None:
    thread_id = await caller.thread()
    made = await caller.post(f"/threads/{thread_id}/messages", {"role": "user", "content": "grüße 👋"})
    assert made == {
        "id": made["id"],
        "object": "thread.message",
        "created_at": made["created_at"],
        "thread_id": thread_id,
        "status": "completed",
        "incomplete_details": None,
        "completed_at": None,
        "incomplete_at": None,
        "role": "user",
        "content": [{"type": "text", "text": {"value": "grüße 👋", "annotations": []}}],
        "assistant_id": None,
        "run_id": None,
        "attachments": [],
        "metadata": {},
    }
    assert await caller.get(f"/threads/{thread_id}/messages/{made['id']}") == made


async def test_parts_and_attachments(caller: Any) -> None:
    thread_id = await caller.thread()
    form = {"data": {"purpose": "vision"}, "files": {"file": ("a.png", b"an image")}}
    image, paper = [(await caller.http.post("/files", **form)).json()["id"] for _ in range(2)]
    made = await caller.post(
        f"/threads/{thread_id}/messages",
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "image_file", "image_file": {"file_id": image, "detail": "low"}},
            ],
            "attachments": [{"file_id": paper, "tools": [{"type": "file_search"}]}],
            "metadata": {"a": "b"},
        },
    )
    assert made["content"] == [
        {"type": "text", "text": {"value": "look", "annotations": []}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "auto"}},
        {"type": "image_file", "image_file": {"file_id": image, "detail": "low"}},
    ]
    assert made["attachments"] == [{"file_id": paper, "tools": [{"type": "file_search"}]}]


async def test_messages_are_listed_by_place_and_run(caller: Any) -> None:
    run = await caller.run()
    path = f"/threads/{run['thread_id']}/messages"
    claimed = await caller.worker.driving.claim(caller.tenant, run["id"])
    await caller.worker.driving.finish(claimed, answer("the answer"))
    late = (await caller.post(path, {"role": "user", "content": "thanks"}))["id"]

    everything = (await caller.get(path))["data"]
    assert [each["role"] for each in everything] == ["user", "assistant", "user"]
    assert everything[0]["id"] == late
    of_the_run = (await caller.get(path, run_id=run["id"]))["data"]
    assert [each["id"] for each in of_the_run] == [everything[1]["id"]]
    assert (of_the_run[0]["run_id"], of_the_run[0]["assistant_id"]) == (run["id"], run["assistant_id"])
    assert (await caller.get(path, run_id="run_unknown"))["data"] == []
    assert [each["id"] for each in (await caller.get(path, after=late))["data"]] == [
        each["id"] for each in everything[1:]
    ]
    error = await caller.refused("GET", path, 404, params={"after": "msg_unknown"})
    assert error["message"] == "No message found with id 'msg_unknown'."


async def test_a_busy_thread_takes_no_message(caller: Any) -> None:
    run = await caller.run()
    before = await caller.rows()
    error = await caller.refused(
        "POST", f"/threads/{run['thread_id']}/messages", json={"role": "user", "content": "too early"}
    )
    assert error["message"] == f"Can't add messages to {run['thread_id']} while a run {run['id']} is active."
    assert await caller.rows() == before
