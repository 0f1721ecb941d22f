"""Scripts, gates, waits and the request log: what tests and chaos runs steer the simulator with."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from model_simulator import ModelSimulator, SimulatorSettings
from model_simulator.control.request_log import fingerprint_of

COMPLETIONS = "/v1/chat/completions"
KEY = "sk-test-key-0123456789"


def asked(text: str, **parameters: Any) -> dict[str, Any]:
    return {"model": "demo", "messages": [{"role": "user", "content": text}], **parameters}


async def script(http: httpx.AsyncClient, *replies: dict[str, Any]) -> None:
    reply = await http.post("/control/script", json={"replies": list(replies)})
    assert reply.status_code == 200, reply.text


async def text_of(http: httpx.AsyncClient, question: str) -> str:
    reply = await http.post(COMPLETIONS, json=asked(question))
    return str(reply.json()["choices"][0]["message"]["content"])


async def wait(http: httpx.AsyncClient, **conditions: Any) -> dict[str, Any]:
    reply = await http.get("/control/wait", params=conditions)
    assert reply.status_code == 200, reply.text
    seen: dict[str, Any] = reply.json()
    return seen


async def contents(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        if '"content":"' in line and '"role"' not in line:
            yield line.split('"content":"')[1].split('"')[0]


async def test_scripted_replies_are_used_in_order_and_then_its_own_answer(http: httpx.AsyncClient) -> None:
    await script(http, {"steps": ["one"]}, {"steps": [{"text": "two"}], "times": 2})
    assert [await text_of(http, "hello") for _ in range(4)][:3] == ["one", "two", "two"]
    assert "“hello”" in await text_of(http, "hello")
    assert (await http.get("/control/script")).json() == {"replies": []}


async def test_a_reply_can_be_meant_for_certain_requests_only(http: httpx.AsyncClient) -> None:
    await script(
        http,
        {"match": "Java", "steps": ["about Java"], "times": None},
        {"model": "other", "steps": ["other model"]},
        {"after_tools": True, "steps": ["after tools"]},
    )
    assert await text_of(http, "was ist Java?") == "about Java"
    assert "“hello”" in await text_of(http, "hello")
    assert await text_of(http, "Java again") == "about Java"
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    tools = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": ""},
    ]
    body = {"model": "demo", "messages": [{"role": "user", "content": "hello"}, *tools]}
    assert (await http.post(COMPLETIONS, json=body)).json()["choices"][0]["message"]["content"] == "after tools"
    left = (await http.get("/control/script")).json()["replies"]
    assert [each.get("match") or each.get("model") for each in left] == ["Java", "other"]
    await http.delete("/control/script")
    assert "“Java”" in await text_of(http, "Java")


async def test_tool_calls_finish_reason_and_usage_can_be_scripted(http: httpx.AsyncClient) -> None:
    calls = [
        {"tool_call": {"name": "a", "arguments": {"x": 1}, "id": "call_same"}},
        {"tool_call": {"name": "b", "arguments": "not json"}},
    ]
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    await script(
        http, {"steps": ["text", *calls], "usage": usage}, {"steps": ["cut"], "finish_reason": "content_filter"}
    )
    reply = (await http.post(COMPLETIONS, json=asked("hello"))).json()
    message = reply["choices"][0]["message"]
    assert message["content"] == "text"
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "a", "arguments": '{"x":1}'},
        {"name": "b", "arguments": "not json"},
    ]
    assert message["tool_calls"][0]["id"] == "call_same"
    assert reply["choices"][0]["finish_reason"] == "tool_calls"
    assert reply["usage"] == usage
    second = (await http.post(COMPLETIONS, json=asked("hello"))).json()
    assert second["choices"][0]["finish_reason"] == "content_filter"


async def test_errors_can_be_scripted_by_name_or_in_full(http: httpx.AsyncClient) -> None:
    await script(
        http,
        {"error": "rate_limit_exceeded", "headers": {"retry-after": "7"}},
        {"status": 502, "body": "<html>bad gateway</html>", "headers": {"x-kind": "proxy"}},
        {"status": 500},
        {"status": 400, "body": {"error": {"message": "no", "code": "c"}}},
    )
    limited, gateway, bare, full = [await http.post(COMPLETIONS, json=asked("hello")) for _ in range(4)]
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert limited.json()["error"]["code"] == "rate_limit_exceeded"
    assert (gateway.status_code, gateway.text, gateway.headers["x-kind"]) == (502, "<html>bad gateway</html>", "proxy")
    assert (bare.status_code, bare.json()["error"]["type"]) == (500, "invalid_request_error")
    assert (full.status_code, full.json()["error"]["code"]) == (400, "c")


async def test_a_stream_stops_at_a_gate_until_it_is_released(http: httpx.AsyncClient) -> None:
    await script(http, {"steps": [{"answer": 2}, {"gate": "middle"}, {"answer": True}]})
    async with http.stream("POST", COMPLETIONS, json=asked("hello", stream=True)) as reply:
        pieces = contents(reply.aiter_lines())
        begun = [await anext(pieces) for _ in range(2)]
        seen = await wait(http, gate="middle", pieces=2, in_flight=1)
        assert seen["gates"] == {"middle": {"open": False, "waiting": 1}}
        assert seen["requests"][-1]["state"] == "in_flight"
        assert (await http.post("/control/release/middle")).json() == {"released": 1}
        rest = [piece async for piece in pieces]
    assert "".join(begun + rest).startswith("I am the model simulator")
    assert "hello" in "".join(rest)
    await wait(http, idle=True, finished=1)


async def test_a_released_gate_stays_open_but_counted_releases_do_not_open_it(http: httpx.AsyncClient) -> None:
    await script(http, {"before": [{"gate": "g"}], "steps": ["x"], "times": None})
    waiting = [asyncio.create_task(text_of(http, "hello")) for _ in range(3)]
    await wait(http, gate="g", waiting=3)
    assert (await http.post("/control/release/g", params={"count": 1})).json() == {"released": 1}
    await wait(http, finished=1)
    done = [task for task in waiting if task.done()]
    assert len(done) <= 1
    assert (await http.post("/control/release/g")).json() == {"released": 2}
    assert await asyncio.gather(*waiting) == ["x", "x", "x"]
    assert await text_of(http, "hello") == "x"


async def test_a_client_that_goes_away_is_noticed_at_a_gate_and_in_a_pause(http: httpx.AsyncClient) -> None:
    for number, step in enumerate(({"gate": "g"}, {"pause": 600}), start=1):
        await script(http, {"steps": ["begun", step, "never"]})
        async with http.stream("POST", COMPLETIONS, json=asked("hello", stream=True)) as reply:
            assert await anext(contents(reply.aiter_lines())) == "begun"
        seen = await wait(http, client_gone=number, idle=True)
        assert seen["requests"][-1]["state"] == "client_gone"
        assert seen["requests"][-1]["pieces_sent"] == 1


async def test_a_connection_is_cut_after_exactly_the_pieces_before_it(http: httpx.AsyncClient) -> None:
    await script(http, {"steps": ["one", "two", {"cut": True}, "three"]}, {"steps": [{"cut": True}]})
    received = []
    with pytest.raises(httpx.RemoteProtocolError):
        async with http.stream("POST", COMPLETIONS, json=asked("hello", stream=True)) as reply:
            async for piece in contents(reply.aiter_lines()):
                received.append(piece)
    assert received == ["one", "two"]
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post(COMPLETIONS, json=asked("hello"))
    seen = await wait(http, cut=2, idle=True)
    assert [each["pieces_sent"] for each in seen["requests"]] == [2, 0]


async def test_requests_are_remembered_with_a_fingerprint_and_never_with_the_key(http: httpx.AsyncClient) -> None:
    await text_of(http, "first")
    await http.post(COMPLETIONS, json=asked("second"), headers={"authorization": "Bearer another-key"})
    await http.post(COMPLETIONS, json=asked("third"), headers={"authorization": ""})
    reply = await http.get("/control/requests")
    seen = reply.json()
    assert (seen["total"], seen["states"]) == (3, {"finished": 2, "refused": 1})
    assert seen["keys"] == {fingerprint_of(KEY): 1, fingerprint_of("another-key"): 1}
    assert [each["body"] and each["body"]["messages"][0]["content"] for each in seen["requests"]] == [
        "first",
        "second",
        None,
    ]
    assert [each["status"] for each in seen["requests"]] == [200, 200, 401]
    assert KEY not in reply.text
    assert "another-key" not in reply.text


async def test_a_wait_that_does_not_come_true_says_so(http: httpx.AsyncClient) -> None:
    reply = await http.get("/control/wait", params={"requests": 1, "timeout": 0.01})
    assert reply.status_code == 408
    assert reply.json()["total"] == 0


async def test_a_wait_begun_before_is_woken_by_what_happens(http: httpx.AsyncClient) -> None:
    waiting = asyncio.create_task(wait(http, requests=2, finished=2))
    await text_of(http, "one")
    await text_of(http, "two")
    assert (await waiting)["total"] == 2


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"replies": [{"steps": [{"txt": "typo"}]}]}',
        b'{"replies": [{"error": "no_such_error"}]}',
        b'{"replies": [{"error": "server_error", "status": 500}]}',
        b'{"replies": [{"body": "x"}]}',
        b'{"replies": [{"unknown": 1}]}',
    ],
)
async def test_a_script_with_a_mistake_is_refused_whole(http: httpx.AsyncClient, body: bytes) -> None:
    reply = await http.post("/control/script", content=body)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]
    assert (await http.get("/control/script")).json() == {"replies": []}


async def test_mistakes_in_other_control_requests_are_refused(http: httpx.AsyncClient) -> None:
    assert (await http.get("/control/wait", params={"requets": 1})).status_code == 400
    assert (await http.post("/control/release/g", params={"count": "many"})).status_code == 400
    assert (await http.post("/control/pace", json={"tokens_per_second": -1})).status_code == 400


async def test_the_pace_is_kept_by_setting_by_script_and_by_model_name(http: httpx.AsyncClient) -> None:
    async def seconds(**body: Any) -> float:
        begun = time.monotonic()
        reply = await http.post(COMPLETIONS, json=asked("hello", **body))
        assert reply.status_code == 200
        return time.monotonic() - begun

    # Ten tokens at 50 a second: nine intervals of 20 ms. Only lower bounds: a busy machine may always be later.
    ten = {"max_tokens": 10, "stream": True}
    changed = await http.post("/control/pace", json={"tokens_per_second": 50})
    assert changed.json() == {"tokens_per_second": 50, "first_token_seconds": 0}
    assert await seconds(**ten) >= 0.17
    await http.post("/control/reset")
    assert await seconds(**ten, model="demo+tps=50") >= 0.17
    assert await seconds(max_tokens=10, model="demo+tps=50") >= 0.17
    assert await seconds(**ten, model="demo+first=0.2") >= 0.19
    await script(http, {"steps": ["a", "b", "c"], "tokens_per_second": 20, "first_token_seconds": 0.1})
    assert await seconds(stream=True) >= 0.19


async def test_reset_lets_held_replies_go_on_and_forgets_the_rest(http: httpx.AsyncClient) -> None:
    await script(http, {"before": [{"gate": "g"}], "steps": ["x"]}, {"steps": ["never used"]})
    held = asyncio.create_task(text_of(http, "hello"))
    await wait(http, gate="g")
    await http.post("/control/reset")
    assert await held == "x"
    seen = await wait(http, idle=True)
    assert seen["gates"] == {}
    assert (await http.get("/control/script")).json() == {"replies": []}


async def test_stopping_breaks_off_what_is_held_up() -> None:
    simulator = ModelSimulator(SimulatorSettings(port=0))
    await simulator.start()
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=simulator.root_url, headers=headers) as http:
        await script(http, {"steps": ["x", {"gate": "never"}]}, {"steps": ["x", {"pause": 600}]})
        held = [asyncio.create_task(http.post(COMPLETIONS, json=asked("hello", stream=True))) for _ in range(2)]
        await wait(http, in_flight=2, gate="never")
        await simulator.stop()
        await simulator.stop()
        ended = await asyncio.gather(*held, return_exceptions=True)
    assert [type(each) for each in ended] == [httpx.RemoteProtocolError] * 2


async def test_a_body_above_the_limit_is_refused() -> None:
    simulator = ModelSimulator(SimulatorSettings(port=0, largest_body=1000))
    await simulator.start()
    async with httpx.AsyncClient(base_url=simulator.root_url, headers={"authorization": "Bearer k"}) as http:
        reply = await http.post(COMPLETIONS, json=asked("x" * 2000))
    await simulator.stop()
    assert reply.status_code == 413
