"""Assistants over HTTP."""

from typing import Any

FUNCTION = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks something up.",
        "parameters": {"type": "object", "properties": {"x": {"type": "string", "default": None}}},
    },
}


async def test_the_least_that_can_be_given_gets_all_defaults(caller: Any) -> None:
    made = await caller.post("/assistants", {"model": "demo"})
    assert made["id"].startswith("asst_")
    assert len(made["id"]) == len("asst_") + 24
    assert made == {
        "id": made["id"],
        "object": "assistant",
        "created_at": made["created_at"],
        "name": None,
        "description": None,
        "model": "demo",
        "instructions": None,
        "tools": [],
        "tool_resources": {},
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "response_format": "auto",
        "reasoning_effort": None,
    }
    assert await caller.get(f"/assistants/{made['id']}") == made


async def test_everything_that_can_be_given_comes_back(caller: Any) -> None:
    schema = {"name": "answer", "schema": {"type": "object", "properties": {"a": {"default": None}}}, "strict": True}
    fields = {
        "model": "demo",
        "name": "Ada",
        "description": "helps",
        "instructions": "Be brief.",
        "tools": [
            {"type": "code_interpreter"},
            {"type": "file_search", "file_search": {"max_num_results": 5}},
            FUNCTION,
        ],
        "tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}, "file_search": {"vector_store_ids": ["vs_1"]}},
        "metadata": {"a": "b"},
        "temperature": 0.2,
        "top_p": 0.5,
        "response_format": {"type": "json_schema", "json_schema": schema},
        "reasoning_effort": "low",
    }
    made = await caller.post("/assistants", fields)
    ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0}
    shown = {
        **fields,
        "tools": [
            {"type": "code_interpreter"},
            {"type": "file_search", "file_search": {"max_num_results": 5, "ranking_options": ranking}},
            {"type": "function", "function": {**FUNCTION["function"], "strict": False}},
        ],
    }
    assert made == {**made, **shown}


async def test_modify_changes_what_is_named_and_nothing_else(caller: Any) -> None:
    made = await caller.post(
        "/assistants", {"model": "demo", "name": "a", "instructions": "i", "tools": [FUNCTION], "metadata": {"k": "v"}}
    )
    path = f"/assistants/{made['id']}"
    assert await caller.post(path, {}) == made
    changed = await caller.post(path, {"name": "b", "instructions": None, "temperature": 0, "model": None})
    assert changed == {**made, "name": "b", "instructions": None, "temperature": 0.0}
    changed = await caller.post(path, {"metadata": {"x": "y"}, "response_format": {"type": "json_object"}})
    assert (changed["metadata"], changed["response_format"]) == ({"k": "v", "x": "y"}, {"type": "json_object"})
    changed = await caller.post(
        path,
        {
            "model": "gpt-x",
            "tools": [],
            "metadata": None,
            "response_format": "auto",
            "temperature": None,
            "tool_resources": {"code_interpreter": {"file_ids": []}},
        },
    )
    assert changed == {
        **made,
        "name": "b",
        "instructions": None,
        "model": "gpt-x",
        "tools": [],
        "metadata": {},
        "tool_resources": {"code_interpreter": {"file_ids": []}},
    }
    assert await caller.get(path) == changed


async def test_delete_removes_it(caller: Any) -> None:
    assistant_id = await caller.assistant()
    assert await caller.delete(f"/assistants/{assistant_id}") == {
        "id": assistant_id,
        "object": "assistant.deleted",
        "deleted": True,
    }
    error = await caller.refused("GET", f"/assistants/{assistant_id}", 404)
    assert error["message"] == f"No assistant found with id '{assistant_id}'."
    await caller.refused("DELETE", f"/assistants/{assistant_id}", 404)
    await caller.refused("POST", f"/assistants/{assistant_id}", 404, json={"name": "x"})


async def test_lists_are_pages_in_both_orders(caller: Any) -> None:
    empty = await caller.get("/assistants")
    assert empty == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    ids = [await caller.assistant(name=str(number)) for number in range(5)]

    newest = await caller.get("/assistants", limit=2)
    assert [each["id"] for each in newest["data"]] == [ids[4], ids[3]]
    assert (newest["first_id"], newest["last_id"], newest["has_more"]) == (ids[4], ids[3], True)
    rest = await caller.get("/assistants", limit=3, after=ids[3])
    assert [each["id"] for each in rest["data"]] == [ids[2], ids[1], ids[0]]
    assert rest["has_more"] is False
    back = await caller.get("/assistants", limit=2, before=ids[0])
    assert [each["id"] for each in back["data"]] == [ids[2], ids[1]]
    assert back["has_more"] is True
    oldest = await caller.get("/assistants", order="asc", limit=1)
    assert [each["id"] for each in oldest["data"]] == [ids[0]]
    assert [each["id"] for each in (await caller.get("/assistants", after=""))["data"]] == ids[::-1]


async def test_the_keys_of_a_schema_keep_their_order(caller: Any) -> None:
    schema = '{"type":"object","properties":{"zeta":{"type":"string"},"alpha":{"type":"number"}},"required":["zeta"]}'
    function = f'{{"name":"f","parameters":{schema},"strict":false}}'
    response_format = f'{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}'
    body = (
        f'{{"model":"demo","tools":[{{"type":"function","function":{function}}}],"response_format":{response_format}}}'
    )
    made = await caller.http.post("/assistants", content=body, headers={"content-type": "application/json"})
    run = await caller.http.post("/threads/runs", json={"assistant_id": made.json()["id"]})
    for reply in (made, await caller.http.get(f"/assistants/{made.json()['id']}"), run):
        assert reply.text.count(schema) == 2
        assert function in reply.text
        assert response_format in reply.text
