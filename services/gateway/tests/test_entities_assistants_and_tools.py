"""`/entities`: assistants, kept tools, and which assistant has which."""

import re
from typing import Any

import pytest
from entities_seed import ID

FLIGHTS = {
    "name": "get_flight_times",
    "description": "Get the flight times between two cities.",
    "parameters": {"type": "object", "properties": {"departure": {"type": "string"}}, "required": ["departure"]},
}


async def test_an_assistant_from_beginning_to_end(entities: Any) -> None:
    body = {
        "name": "Flighty",
        "description": "test_case",
        "model": "demo",
        "instructions": "You are a helpful flight attendant",
        "meta_data": {"a": 1},
        "top_p": 0.5,
        "temperature": 0.25,
        "response_format": "json_object",
        "tools": [{"type": "function", "function": FLIGHTS}, {"type": "file_search"}],
    }
    made = await entities.post("/assistants", body)
    assert re.fullmatch(ID, made["id"])
    assert made == {
        **body,
        "id": made["id"],
        "user_id": None,
        "object": "assistant",
        "created_at": made["created_at"],
    }
    assert await entities.get(f"/assistants/{made['id']}") == made
    changed = await entities.put(f"/assistants/{made['id']}", {"name": "Nexa", "meta_data": {"b": "c"}, "tools": None})
    assert changed == {**made, "name": "Nexa", "meta_data": {"a": 1, "b": "c"}}
    emptied = {"description": None, "instructions": None, "model": "other", "tools": [], "response_format": "auto"}
    changed = await entities.put(f"/assistants/{made['id']}", emptied)
    assert {name: changed[name] for name in emptied} == emptied


async def test_an_assistant_of_which_little_is_said(entities: Any) -> None:
    made = await entities.post("/assistants", {"model": "demo", "name": "", "meta_data": None, "tools": None})
    assert (made["name"], made["description"], made["instructions"]) == ("", None, None)
    assert (made["top_p"], made["temperature"], made["response_format"]) == (1.0, 1.0, "auto")
    assert (made["tools"], made["meta_data"]) == ([], {})


async def test_other_dialects_see_the_same_assistant(entities: Any, caller: Any) -> None:
    made = await entities.post("/assistants", {"model": "demo", "name": "Nexa", "response_format": "text"})
    (seen,) = (await caller.get("/assistants"))["data"]
    assert (seen["name"], seen["response_format"]) == ("Nexa", {"type": "text"})
    assert await entities.get(f"/assistants/{seen['id']}") == made


@pytest.mark.parametrize(
    "body",
    [
        {"name": "get_flight_times", "type": "function", "function": FLIGHTS},
        {"type": "function", "function": FLIGHTS},
        {"name": "get_flight_times", "type": "function", "function": {"function": FLIGHTS}},
        {"name": "get_flight_times", "function": {**FLIGHTS, "name": None}},
    ],
    ids=["flat", "named by its function", "wrapped", "named by itself"],
)
async def test_a_tool_from_beginning_to_end(entities: Any, body: dict[str, Any]) -> None:
    made = await entities.post("/tools", body)
    assert re.fullmatch(ID, made["id"])
    assert list(made) == ["id", "type", "name", "function"]
    assert (made["type"], made["name"]) == ("function", "get_flight_times")
    # Clients of different weeks look for the definition in different places.
    assert made["function"]["function"] == FLIGHTS
    assert {name: made["function"][name] for name in FLIGHTS} == FLIGHTS
    assert await entities.get(f"/tools/{made['id']}") == made
    assert await entities.get("/tools/name/get_flight_times") == made
    assert await entities.get("/tools") == {"tools": [made]}
    changed = await entities.put(f"/tools/{made['id']}", {"function": {"name": "g", "description": "new"}})
    assert (changed["name"], changed["function"]["function"]) == (
        "get_flight_times",
        {"name": "g", "description": "new"},
    )
    renamed = await entities.put(f"/tools/{made['id']}", {"name": "h", "type": "function"})
    assert (renamed["name"], renamed["function"]) == ("h", changed["function"])
    await entities.delete(f"/tools/{made['id']}")
    assert await entities.refused("GET", f"/tools/{made['id']}", 404) == "Tool not found"
    assert await entities.refused("DELETE", f"/tools/{made['id']}", 404) == "Tool not found"
    assert await entities.refused("PUT", f"/tools/{made['id']}", 404, json={"name": "a"}) == "Tool not found"
    assert await entities.refused("GET", "/tools/name/h", 404) == "Tool with name h not found"
    assert await entities.get("/tools") == {"tools": []}


async def test_an_assistant_is_given_tools(entities: Any) -> None:
    assistant = await entities.assistant()
    first = await entities.post("/tools", {"function": FLIGHTS})
    second = await entities.post("/tools", {"function": {"name": "f"}})
    for tool in (first, second, first):
        reply = await entities.post(f"/assistants/{assistant}/tools/{tool['id']}")
        assert reply == {"message": "Tool associated with assistant successfully"}
    assert await entities.get(f"/assistants/{assistant}/tools") == {"tools": [first, second]}
    shown = await entities.get(f"/assistants/{assistant}")
    assert shown["tools"] == [
        {"type": "function", "function": FLIGHTS},
        {"type": "function", "function": {"name": "f"}},
    ]
    for _ in range(2):
        await entities.delete(f"/assistants/{assistant}/tools/{first['id']}")
    assert await entities.get(f"/assistants/{assistant}/tools") == {"tools": [second]}


async def test_ties_to_nothing(entities: Any) -> None:
    assistant, tool = await entities.assistant(), await entities.post("/tools", {"function": FLIGHTS})
    nothing, nobody = "tool_" + "0" * 22, "asst_" + "0" * 22
    for method in ("POST", "DELETE"):
        assert await entities.refused(method, f"/assistants/{assistant}/tools/{nothing}", 404) == "Tool not found"
        path = f"/assistants/{nobody}/tools/{tool['id']}"
        assert await entities.refused(method, path, 404) == "Assistant not found"
    assert await entities.refused("GET", f"/assistants/{nobody}/tools", 404) == "Assistant not found"
    assert await entities.refused("GET", f"/assistants/{nobody}", 404) == "Assistant not found"
    assert await entities.refused("PUT", f"/assistants/{nobody}", 404, json={"name": "a"}) == "Assistant not found"


async def test_all_tools_are_listed_however_many(entities: Any) -> None:
    made = [await entities.post("/tools", {"name": f"tool_{number}", "function": {}}) for number in range(101)]
    assert (await entities.get("/tools"))["tools"] == made
    assert await entities.get("/tools/name/tool_100") == made[100]


async def test_an_assistant_has_no_more_tools_than_it_may(entities: Any) -> None:
    functions = [{"type": "function", "function": {"name": f"f{number}"}} for number in range(128)]
    assistant = await entities.assistant(tools=functions)
    tool = await entities.post("/tools", {"function": FLIGHTS})
    path = f"/assistants/{assistant}/tools/{tool['id']}"
    assert await entities.refused("POST", path, 400) == "An assistant has at most 128 tools"
