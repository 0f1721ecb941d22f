"""The objects of version 1, and what both versions see of one conversation: the translation goes both ways."""

from typing import Any

import pytest
from conformance import api_objects
from engine_world import answer, new_id
from run_engine.domain.objects import Usage
from run_engine.store.driving import Answer
from version_1_world import LOOK_UP, Version1

SHOWN_LOOK_UP = {"type": "function", "function": {**LOOK_UP["function"], "strict": False}}
BOTH_TOOLS = [{"type": "file_search"}, {"type": "code_interpreter"}]


async def test_an_assistant_has_the_fields_of_version_1_and_no_others(ruby: Version1) -> None:
    files = await ruby.files(2)
    made = await ruby.call(
        "create_assistant",
        {"model": "demo"},
        name="Ada",
        description="helps",
        instructions="Be brief.",
        tools=[{"type": "retrieval"}, {"type": "code_interpreter"}, LOOK_UP],
        file_ids=[files[1], files[0], files[1]],
        metadata={"a": "b"},
    )
    assert made == {
        "id": made["id"],
        "object": "assistant",
        "created_at": made["created_at"],
        "name": "Ada",
        "description": "helps",
        "model": "demo",
        "instructions": "Be brief.",
        "tools": [{"type": "retrieval"}, {"type": "code_interpreter"}, SHOWN_LOOK_UP],
        "file_ids": [files[1], files[0]],
        "metadata": {"a": "b"},
    }
    place = {"assistant_id": made["id"]}
    assert await ruby.call("get_assistant", place) == made
    assert (await ruby.call("list_assistants", {}))["data"] == [made]


async def test_version_2_sees_the_files_where_it_lists_files(ruby: Version1) -> None:
    (file,) = await ruby.files(1)
    made = await ruby.call("create_assistant", {"model": "demo"}, tools=[{"type": "retrieval"}], file_ids=[file])
    seen = await ruby.caller.get(f"/assistants/{made['id']}")
    assert seen["tools"][0]["type"] == "file_search"
    assert seen["tool_resources"] == {"code_interpreter": {"file_ids": [file]}}
    plain = await ruby.call("create_assistant", {"model": "demo"}, file_ids=[])
    assert (await ruby.caller.get(f"/assistants/{plain['id']}"))["tool_resources"] == {}


async def test_version_1_sees_an_assistant_of_version_2(ruby: Version1) -> None:
    search = {"type": "file_search", "file_search": {"max_num_results": 5}}
    made = await ruby.caller.post(
        "/assistants",
        {
            "model": "demo",
            "tools": [search],
            "tool_resources": {
                "code_interpreter": {"file_ids": ["file-1"]},
                "file_search": {"vector_store_ids": ["vs_1"]},
            },
            "temperature": 0.5,
            "response_format": {"type": "json_object"},
            "reasoning_effort": "low",
        },
    )
    seen = await ruby.call("get_assistant", {"assistant_id": made["id"]})
    assert (seen["tools"], seen["file_ids"]) == ([{"type": "retrieval"}], ["file-1"])


async def test_a_change_in_version_1_leaves_what_it_does_not_know(ruby: Version1) -> None:
    """There is no operation for it in the Ruby client; the API had one."""
    resources = {"file_search": {"vector_store_ids": ["vs_1"]}}
    made = await ruby.caller.post(
        "/assistants", {"model": "demo", "tool_resources": resources, "temperature": 0.5, "metadata": {"a": "b"}}
    )
    (file,) = await ruby.files(1)
    body = {"name": "Ada", "file_ids": [file], "tools": [{"type": "retrieval"}], "metadata": {"c": "d"}}
    changed = (await ruby.post(f"/assistants/{made['id']}", body)).json()
    assert (changed["name"], changed["file_ids"], changed["tools"]) == ("Ada", [file], [{"type": "retrieval"}])
    seen = await ruby.caller.get(f"/assistants/{made['id']}")
    assert seen["tool_resources"] == {**resources, "code_interpreter": {"file_ids": [file]}}
    assert (seen["temperature"], seen["metadata"]) == (0.5, {"a": "b", "c": "d"})
    assert (await ruby.post(f"/assistants/{made['id']}", {"name": "Eva", "file_ids": None})).json()["file_ids"] == [
        file
    ]
    assert (await ruby.post(f"/assistants/{made['id']}", {"file_ids": []})).json()["file_ids"] == []


async def test_files_are_attached_and_taken_off(ruby: Version1) -> None:
    made = await ruby.call("create_assistant", {"model": "demo"}, tools=[{"type": "retrieval"}])
    files = await ruby.files(2)
    place = {"assistant_id": made["id"], "file_id": files[0]}
    attached = await ruby.call("create_assistant_file", place)
    assert attached == {
        "id": files[0],
        "object": "assistant.file",
        "created_at": attached["created_at"],
        "assistant_id": made["id"],
    }
    assert await ruby.call("create_assistant_file", place) == attached
    assert await ruby.call("get_assistant_file", place) == attached
    await ruby.call("create_assistant_file", {**place, "file_id": files[1]})
    assert (await ruby.call("get_assistant", place))["file_ids"] == files
    gone = await ruby.call("delete_assistant_file", place)
    assert gone == {"id": files[0], "object": "assistant.file.deleted", "deleted": True}
    assert (await ruby.call("get_assistant", place))["file_ids"] == [files[1]]
    assert (await ruby.caller.get(f"/files/{files[0]}"))["id"] == files[0]


async def test_a_message_shows_its_files_and_version_2_its_attachments(ruby: Version1) -> None:
    files = await ruby.files(2)
    thread = await ruby.call("create_thread", {})
    place = {"thread_id": thread["id"], "content": "hello"}
    made = await ruby.call("create_message", place, file_ids=files, metadata={"a": "b"})
    assert made == {
        "id": made["id"],
        "object": "thread.message",
        "created_at": made["created_at"],
        "thread_id": thread["id"],
        "status": "completed",
        "incomplete_details": None,
        "completed_at": made["completed_at"],
        "incomplete_at": None,
        "role": "user",
        "content": [{"type": "text", "text": {"value": "hello", "annotations": []}}],
        "assistant_id": None,
        "run_id": None,
        "file_ids": files,
        "metadata": {"a": "b"},
    }
    assert thread == {"id": thread["id"], "object": "thread", "created_at": thread["created_at"], "metadata": {}}
    seen = await ruby.caller.get(f"/threads/{thread['id']}/messages/{made['id']}")
    assert seen["attachments"] == [{"file_id": each, "tools": BOTH_TOOLS} for each in files]
    shown = await ruby.call("get_message_file", {**place, "message_id": made["id"], "file_id": files[0]})
    assert shown == {
        "id": files[0],
        "object": "thread.message.file",
        "created_at": made["created_at"],
        "message_id": made["id"],
    }


async def test_parts_that_version_1_had_not_are_told_as_text(ruby: Version1) -> None:
    image, *_ = await ruby.files(1)
    thread_id = await ruby.caller.thread()
    parts = [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_file", "image_file": {"file_id": image}},
        {"type": "text", "text": "what is it?"},
    ]
    await ruby.caller.post(f"/threads/{thread_id}/messages", {"role": "user", "content": parts})
    (seen,) = (await ruby.call("list_messages", {"thread_id": thread_id}))["data"]
    assert seen["content"] == [
        {"type": "text", "text": {"value": "https://example.com/a.png", "annotations": []}},
        {"type": "image_file", "image_file": {"file_id": image}},
        {"type": "text", "text": {"value": "what is it?", "annotations": []}},
    ]


async def test_a_run_as_it_goes_on(ruby: Version1) -> None:
    place = await ruby.place()
    waiting = await ruby.call("get_run", place)
    assert waiting["status"] == "requires_action"
    (asked,) = waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert asked["id"] == place["call_id"]
    assert waiting["tools"] == [{"type": "retrieval"}, SHOWN_LOOK_UP]
    assert waiting["file_ids"] == (await ruby.call("get_assistant", place))["file_ids"]
    assert waiting["usage"] is None
    assert not {"tool_resources", "temperature", "tool_choice", "incomplete_details"} & waiting.keys()
    outputs = [{"tool_call_id": asked["id"], "output": "found"}]
    submitted = await ruby.call("submit_tool_ouputs_to_run", place, tool_outputs=outputs)
    assert submitted["status"] == "queued"
    claimed = await ruby.caller.worker.driving.claim(ruby.caller.tenant, place["run_id"])
    await ruby.caller.worker.driving.finish(claimed, answer("there"))
    done = await ruby.call("get_run", place)
    assert (done["status"], done["usage"]) == (
        "completed",
        {"prompt_tokens": 17, "completion_tokens": 7, "total_tokens": 24},
    )
    calling, writing = (await ruby.call("list_run_steps", place))["data"]
    assert (writing["step_details"]["type"], calling["step_details"]["type"]) == ("message_creation", "tool_calls")
    newest = (await ruby.call("list_messages", place))["data"][-1]
    assert newest["id"] == writing["step_details"]["message_creation"]["message_id"]
    assert (newest["run_id"], newest["file_ids"], newest["status"]) == (place["run_id"], [], "completed")


async def test_an_answer_that_was_cut_short_is_completed_to_version_1(ruby: Version1) -> None:
    run = await ruby.caller.run()
    claimed = await ruby.caller.worker.driving.claim(ruby.caller.tenant, run["id"])
    cut = Answer(
        step_id=new_id("step"),
        message_id=new_id("message"),
        content=[{"type": "refusal", "refusal": "No."}],
        usage=Usage(prompt_tokens=1, completion_tokens=1),
        incomplete_reason="max_completion_tokens",
    )
    await ruby.caller.worker.driving.finish(claimed, cut)
    place = {"thread_id": run["thread_id"], "run_id": run["id"]}
    assert (await ruby.caller.get(f"/threads/{run['thread_id']}/runs/{run['id']}"))["status"] == "incomplete"
    assert (await ruby.call("get_run", place))["status"] == "completed"
    (_, said) = (await ruby.call("list_messages", place))["data"]
    assert (said["status"], said["incomplete_details"]) == ("incomplete", {"reason": "max_tokens"})
    assert said["content"] == [{"type": "text", "text": {"value": "No.", "annotations": []}}]


async def test_what_was_imported_from_version_2(ruby: Version1) -> None:
    """Calls of file search, citations and errors that only version 2 has: no other way makes them here."""
    citation = {
        "type": "file_citation",
        "text": "[1]",
        "file_citation": {"file_id": "file-1"},
        "start_index": 0,
        "end_index": 3,
    }
    ids = {"thread_id": new_id("thread"), "assistant_id": new_id("assistant"), "run_id": new_id("run")}
    text = {"value": "[1] yes", "annotations": [citation]}
    search = {"id": new_id("tool_call"), "type": "file_search", "file_search": {"results": []}}
    objects = [
        api_objects.thread(id=ids["thread_id"], tool_resources={}),
        api_objects.message(
            **ids,
            id=new_id("message"),
            role="assistant",
            content=[{"type": "text", "text": text}],
            attachments=[{"file_id": "file-1", "tools": [{"type": "file_search"}]}],
        ),
        api_objects.run(
            **{name: ids[name] for name in ("thread_id", "assistant_id")},
            id=ids["run_id"],
            status="failed",
            completed_at=None,
            failed_at=1_700_000_100,
            last_error={"code": "invalid_prompt", "message": "too long"},
            tools=[{"type": "file_search"}],
            tool_resources={"code_interpreter": {"file_ids": ["file-1"]}},
        ),
        api_objects.step(search, **ids, id=new_id("step")),
    ]
    reply = await ruby.http.post("/import", json={"objects": objects}, headers={"authorization": ruby.key})
    assert reply.status_code == 200, reply.text
    run = await ruby.call("get_run", ids)
    assert (run["status"], run["file_ids"], run["tools"]) == ("failed", ["file-1"], [{"type": "retrieval"}])
    assert run["last_error"] == {"code": "server_error", "message": "too long"}
    (message,) = (await ruby.call("list_messages", ids))["data"]
    assert message["file_ids"] == ["file-1"]
    (seen,) = message["content"][0]["text"]["annotations"]
    assert seen == {**citation, "file_citation": {"quote": "", "file_id": "file-1"}}
    (step,) = (await ruby.call("list_run_steps", ids))["data"]
    assert step["step_details"]["tool_calls"] == [{"id": search["id"], "type": "retrieval", "retrieval": {}}]


@pytest.mark.parametrize(
    "choice", ["auto", "none", {"type": "retrieval"}, {"type": "function", "function": {"name": "look_up"}}]
)
async def test_a_run_takes_what_version_1_ever_took(ruby: Version1, choice: Any) -> None:
    assistant = await ruby.call("create_assistant", {"model": "demo"})
    run = await ruby.call(
        "create_thread_and_run",
        {"assistant_id": assistant["id"]},
        thread={"messages": [{"role": "user", "content": "hello"}]},
        tools=[{"type": "retrieval"}, LOOK_UP],
        tool_choice=choice,
        temperature=0.5,
        max_prompt_tokens=1000,
        max_completion_tokens=1000,
        truncation_strategy={"type": "last_messages", "last_messages": 3},
        response_format={"type": "text"},
        metadata={"a": "b"},
    )
    seen = await ruby.caller.get(f"/threads/{run['thread_id']}/runs/{run['id']}")
    assert seen["tool_choice"] == ({"type": "file_search"} if choice == {"type": "retrieval"} else choice)
    assert (seen["temperature"], seen["max_prompt_tokens"], seen["tools"][0]["type"]) == (0.5, 1000, "file_search")


async def test_additional_messages_bring_files(ruby: Version1) -> None:
    place = await ruby.place()
    place["thread_id"] = place["idle_thread_id"]
    added = {"role": "user", "content": "and this", "file_ids": [place["file_id"]]}
    await ruby.call("create_run", place, additional_messages=[added], additional_instructions="Look closely.")
    newest = (await ruby.call("list_messages", place))["data"][-1]
    assert newest["file_ids"] == [place["file_id"]]
