"""`/entities`: bodies and queries that are wrong, each named with its place, as FastAPI does."""

from typing import Any

import pytest


def violations(detail: Any) -> list[tuple[list[Any], str]]:
    assert all(set(each) == {"loc", "msg", "type"} and each["msg"] for each in detail)
    return [(each["loc"], each["type"]) for each in detail]


@pytest.mark.parametrize(
    ("method", "path", "body", "found"),
    [
        ("POST", "/threads", {}, [(["body", "participant_ids"], "missing")]),
        ("POST", "/threads", {"participant_ids": "a"}, [(["body", "participant_ids"], "list_type")]),
        ("POST", "/threads", {"participant_ids": [1, 2]}, [(["body", "participant_ids", 0], "string_type")]),
        ("POST", "/threads", {"participant_ids": [""] * 2}, [(["body", "participant_ids", 0], "string_too_short")]),
        ("POST", "/threads", {"participant_ids": [], "meta_data": 1}, [(["body", "meta_data"], "dict_type")]),
        (
            "POST",
            "/threads",
            {"participant_ids": [], "meta_data": {"k" * 65: 1}},
            [(["body", "meta_data", "k" * 64, "[key]"], "string_too_long")],
        ),
        (
            "POST",
            "/threads",
            {"participant_ids": [], "meta_data": {"a": "v" * 513}},
            [(["body", "meta_data"], "string_too_long")],
        ),
        (
            "POST",
            "/threads",
            {"participant_ids": [], "meta_data": {str(number): number for number in range(17)}},
            [(["body", "meta_data"], "too_long")],
        ),
        ("POST", "/users", {"name": 1}, [(["body", "name"], "string_type")]),
        ("POST", "/users", {"name": "n" * 257}, [(["body", "name"], "string_too_long")]),
        ("PUT", "/users/user_x", {"name": ["a"]}, [(["body", "name"], "string_type")]),
        (
            "POST",
            "/messages",
            {},
            [
                (["body", "content"], "missing"),
                (["body", "thread_id"], "missing"),
                (["body", "sender_id"], "missing"),
            ],
        ),
        (
            "POST",
            "/messages",
            {"content": [], "thread_id": "t", "sender_id": None, "role": "platform"},
            [
                (["body", "content"], "string_type"),
                (["body", "sender_id"], "string_type"),
                (["body", "role"], "literal_error"),
            ],
        ),
        ("POST", "/messages", {"content": "x" * 256_001, "thread_id": "t", "sender_id": "s"}, None),
        ("POST", "/messages/assistant", {"thread_id": "t"}, [(["body", "content"], "missing")]),
        ("POST", "/messages/message_x/tool", {"content": None}, [(["body", "content"], "string_type")]),
        ("POST", "/runs", {"thread_id": "t"}, [(["body", "assistant_id"], "missing")]),
        ("PUT", "/runs/run_x/status", {"status": "done"}, [(["body", "status"], "literal_error")]),
        ("POST", "/assistants", {"name": "a"}, [(["body", "model"], "missing")]),
        ("POST", "/assistants", {"model": ""}, [(["body", "model"], "string_too_short")]),
        ("POST", "/assistants", {"model": "m", "temperature": 3}, [(["body", "temperature"], "less_than_equal")]),
        ("POST", "/assistants", {"model": "m", "top_p": "x"}, [(["body", "top_p"], "float_parsing")]),
        (
            "POST",
            "/assistants",
            {"model": "m", "response_format": "xml"},
            [(["body", "response_format"], "literal_error")],
        ),
        (
            "POST",
            "/assistants",
            {"model": "m", "tools": [{"type": "function"}]},
            [(["body", "tools", 0], "value_error")],
        ),
        (
            "POST",
            "/assistants",
            {"model": "m", "tools": [{"type": "function", "function": {"name": "a b"}}]},
            [(["body", "tools", 0, "function", "name"], "string_pattern_mismatch")],
        ),
        ("POST", "/tools", {"name": "f"}, [(["body", "function"], "missing")]),
        ("POST", "/tools", {"function": {}}, [(["body"], "value_error")]),
        ("POST", "/tools", {"function": {"name": "f"}, "type": "retrieval"}, [(["body", "type"], "literal_error")]),
        ("POST", "/actions", {"run_id": "r"}, [(["body"], "value_error")]),
        (
            "POST",
            "/actions",
            {"run_id": "r", "tool_name": "f", "function_args": []},
            [(["body", "function_args"], "dict_type")],
        ),
        ("PUT", "/actions/action_x", {"result": {}}, [(["body", "status"], "missing")]),
        (
            "PUT",
            "/actions/action_x",
            {"status": "completed", "result": "x" * (512 * 1024 + 1)},
            [(["body"], "value_error")],
        ),
    ],
)
async def test_bodies_that_are_wrong(entities: Any, method: str, path: str, body: Any, found: Any) -> None:
    before = await entities.openai.rows()
    detail = violations(await entities.refused(method, path, 422, json=body))
    assert detail == (found if found is not None else [(["body", "content"], "string_too_long")])
    assert await entities.openai.rows() == before


@pytest.mark.parametrize(
    ("content", "content_type", "found"),
    [
        (b"", "application/json", (["body"], "missing")),
        (b"  ", "application/json", (["body"], "missing")),
        (b"{", "application/json", (["body", 1], "json_invalid")),
        (b"[]", "application/json", (["body"], "model_attributes_type")),
        (b"null", "application/json", (["body"], "model_attributes_type")),
        (b'{"participant_ids": []}', "text/plain", (["body"], "model_attributes_type")),
        (b"\xff\xfe", "application/json", (["body", 0], "json_invalid")),
        (
            b'{"participant_ids": [], "x": ' + b"[" * 101 + b"]" * 101 + b"}",
            "application/json",
            (["body"], "value_error"),
        ),
        (
            b'{"participant_ids": [], "meta_data": {"a": "\\u0000"}}',
            "application/json",
            (["body", "meta_data", "a"], "value_error"),
        ),
        (b'{"participant_ids": ["\\ud800"]}', "application/json", (["body", 22], "json_invalid")),
    ],
)
async def test_bodies_that_are_none(entities: Any, content: bytes, content_type: str, found: Any) -> None:
    detail = await entities.refused("POST", "/threads", 422, content=content, headers={"content-type": content_type})
    assert violations(detail) == [found]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("limit=0", (["query", "limit"], "greater_than_equal")),
        ("limit=-1", (["query", "limit"], "greater_than_equal")),
        ("limit=1001", (["query", "limit"], "less_than_equal")),
        ("limit=many", (["query", "limit"], "int_parsing")),
        ("limit=1.5", (["query", "limit"], "int_parsing")),
        ("limit=" + "9" * 5000, (["query", "limit"], "int_parsing")),
        ("order=newest", (["query", "order"], "literal_error")),
    ],
)
async def test_queries_that_are_wrong(entities: Any, query: str, found: Any) -> None:
    thread = await entities.thread()
    assert violations(await entities.refused("GET", f"/threads/{thread}/messages?{query}", 422)) == [found]


async def test_a_body_with_very_much_wrong_with_it(entities: Any) -> None:
    body = {"model": "m", "meta_data": {str(number): {} for number in range(50_000)}, "tools": [1] * 100_000}
    assert len(await entities.refused("POST", "/assistants", 422, json=body)) == 2
    detail = await entities.refused("POST", "/threads", 413, content=b" " * (1024 * 1024 + 1))
    assert detail == "The request body is too large: at most 1048576 bytes are accepted"
