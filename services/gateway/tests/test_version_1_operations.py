"""The 27 operations of the generated Ruby client, each as it sends it, each with what it takes the reply for."""

from typing import Any

import pytest
from ruby_client import OPERATIONS
from version_1_world import Version1

BODIES: dict[str, dict[str, Any]] = {
    "create_assistant": {"name": "Ada", "tools": [{"type": "retrieval"}], "metadata": {"a": "b"}},
    "create_thread": {"messages": [{"role": "user", "content": "hello"}]},
    "create_thread_and_run": {"thread": {"messages": [{"role": "user", "content": "hello"}]}},
    "modify_message": {"metadata": {"a": "b"}},
    "modify_run": {"metadata": {"a": "b"}},
    "modify_thread": {"metadata": {"a": "b"}},
}
"""What is given besides the arguments of the example."""
ON_IDLE_THREADS = {"create_message", "create_run"}


def test_there_are_27() -> None:
    assert len(OPERATIONS) == 27


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_operation(ruby: Version1, name: str) -> None:
    place = await ruby.place()
    if name in ON_IDLE_THREADS:
        place["thread_id"] = place["idle_thread_id"]
    if name == "create_assistant_file":
        place["file_id"] = await ruby.file()
    given = dict(BODIES.get(name, {}))
    if name == "submit_tool_ouputs_to_run":
        given = {"tool_outputs": [{"tool_call_id": place["call_id"], "output": "found"}]}
    shown = await ruby.call(name, place, **given)
    for field in ("name", "metadata"):
        if field in given:
            assert shown[field] == given[field]
    if name.startswith("delete_"):
        kept = name.replace("delete_", "get_")
        gone = await ruby.refused(kept, place, 404)
        assert gone["message"].startswith("No ")


@pytest.mark.parametrize("name", sorted(name for name, each in OPERATIONS.items() if "query" in each))
async def test_a_list_with_the_cursors_of_the_example(ruby: Version1, name: str) -> None:
    place = await ruby.place()
    if name == "list_assistants":
        for _ in range(2):
            await ruby.call("create_assistant", place)
    elif name == "list_assistant_files":
        await ruby.call("create_assistant_file", {**place, "file_id": await ruby.file()})
    elif name == "list_message_files":
        made = await ruby.call(
            "create_message", {**place, "thread_id": place["idle_thread_id"]}, file_ids=await ruby.files(3)
        )
        place |= {"thread_id": made["thread_id"], "message_id": made["id"]}
    elif name == "list_messages":
        place["thread_id"] = place["idle_thread_id"]
        for _ in range(2):
            await ruby.call("create_message", place)
    elif name in ("list_runs", "list_run_steps"):
        # One at a time: there is nothing between.
        (only,) = (await ruby.call(name, place))["data"]
        for cursor in ("after", "before"):
            page = await ruby.call(name, {**place, cursor: only["id"]})
            assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
        return
    ids = [each["id"] for each in (await ruby.call(name, place))["data"]]
    assert len(ids) == 3
    middle = await ruby.call(name, {**place, "after": ids[0], "before": ids[2]})
    assert [each["id"] for each in middle["data"]] == [ids[1]]
    newest = await ruby.call(name, place, query={"limit": 2})
    assert [each["id"] for each in newest["data"]] == [ids[2], ids[1]]
    assert (newest["first_id"], newest["last_id"], newest["has_more"]) == (ids[2], ids[1], True)
    error = await ruby.refused(name, {**place, "after": "no_such_thing"}, 404)
    assert error["message"].endswith(" found with id 'no_such_thing'.")
