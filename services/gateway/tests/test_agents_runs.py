"""`/agents/v1`: answers in the reply to the request that asks for them, tools of the client's, and every refusal."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from agents_desk import Desk, client_call, service_call, shown
from entities_caller import EntitiesCaller
from file_store import FileStore
from gateway.application.streams.hub import Hub
from gateway.bootstrap import surfaces, use_cases
from gateway.entrypoints.http.app import build_app
from gateway.entrypoints.http.endpoint import Draining
from gateway.settings import GatewaySettings
from run_engine.domain import ids, renderings
from run_engine.process import EngineProcess
from starlette.types import ASGIApp
from streaming_caller import Streaming

SOURCE = {
    "content": "§ 622 Abs. 3 BGB: Während einer vereinbarten Probezeit …",
    "meta_data": {"document_title": "Bürgerliches Gesetzbuch (BGB)", "section": "§ 622 Abs. 3"},
}


@pytest_asyncio.fixture
async def desk(streaming: Streaming, app: ASGIApp) -> AsyncIterator[Desk]:
    desk = Desk(streaming, app)
    yield desk
    await desk.http.aclose()


@pytest.fixture
def other_app(engine: EngineProcess, settings: GatewaySettings, stored: FileStore, hub: Hub) -> Any:
    """Makes a gateway with other settings."""

    def make(**changed: Any) -> ASGIApp:
        other = settings.model_copy(update=changed)
        dialects = surfaces(use_cases(engine, other, stored, hub), other)
        return build_app(dialects, largest_body=other.largest_body, draining=Draining())

    return make


async def answer_of(asked: "asyncio.Task[httpx.Response]") -> Any:
    reply = await asyncio.wait_for(asked, 10)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_the_answer_of_the_seed(desk: Desk) -> None:
    metadata = {"intent": "Kündigungsfrist Probezeit", "type": "53aa66b7-b874-407f-967c-3a959c919d62"}
    await desk.begin("Welche Frist gilt in der Probezeit?", metadata=metadata)
    asked = desk.asking()
    run = await desk.claim()
    await desk.finish(run, "Zwei Wochen.")
    answer = await answer_of(asked)
    assert answer == {
        "id": answer["id"],
        "thread_id": desk.thread,
        "role": "assistant",
        "content": "Zwei Wochen.",
        "created_at": answer["created_at"],
        "sources": [],
        "meta_data": metadata | {"legal_advice": False},
    }
    (message,) = (await desk.caller.get(f"/threads/{desk.thread_id}/messages", limit=1))["data"]
    assert answer["id"] == shown("message", message["id"])
    assert answer["created_at"].endswith("Z")
    assert await desk.said() == [*(await desk.said(limit=1)), answer]


async def test_what_the_app_says_of_an_assistant_is_said_of_its_answers(desk: Desk) -> None:
    await desk.begin("hi", metadata={"legal_advice": "true"})
    asked = desk.asking()
    await desk.finish(await desk.claim())
    meta_data = (await answer_of(asked))["meta_data"]
    assert meta_data == {"intent": "", "legal_advice": True, "type": shown("assistant", desk.assistant)}


async def test_sources_are_what_tools_found_and_what_the_text_cites(desk: Desk) -> None:
    await desk.begin("Welche Frist gilt?", tools=[{"type": "function", "function": {"name": "search"}}])
    asked = desk.asking()
    run = await desk.claim()
    search = service_call()
    await desk.park(run, search)
    output = orjson.dumps({"sources": [SOURCE]}).decode()
    assert await desk.caller.worker.answers.complete(desk.caller.tenant, run.id, search.id, output)
    cited = {"type": "url_citation", "url_citation": {"url": "https://gesetze.example", "title": "BGB"}}
    await desk.finish(await desk.claim(), annotations=[cited])
    answer = await answer_of(asked)
    assert answer["sources"] == [
        {
            "content": "https://gesetze.example",
            "meta_data": {"document_title": "BGB", "section": "https://gesetze.example"},
        },
        SOURCE,
    ]
    assert (await desk.said())[-1] == answer, "it rests on the same when it is read later"
    assert await desk.said(order="desc", limit=1) == [answer]


@pytest.mark.parametrize("joins", [True, False], ids=["asks-at-once", "asks-late"])
async def test_the_client_answers_its_tools_and_asks_again(desk: Desk, joins: bool) -> None:
    await desk.begin("Wie ist das Wetter?")
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "x": 1}}}]
    asked = desk.asking({"tools": tools, "tool_choice": "required"})
    run = await desk.claim()
    assert (run.tools, run.tool_choice) == (tools, "required")
    calls = [client_call("weather", '{"at":"Berlin"}'), client_call("weather", '{"at":"Wien"}')]
    await desk.park(run, *calls)
    asking = await answer_of(asked)
    assert (asking["role"], asking["content"]) == ("assistant", "")
    assert asking["tool_calls"] == [
        {"id": call.id, "type": "function", "function": {"name": "weather", "arguments": call.arguments}}
        for call in calls
    ]
    said = await desk.said()
    assert [each["role"] for each in said] == ["user", "assistant"]
    assert (said[1]["id"], said[1]["tool_calls"]) == (asking["id"], asking["tool_calls"])

    (found,) = await desk.refused(422, "validation_error")
    assert (found["loc"], found["type"]) == (["path", "thread_id"], "calls_not_answered")
    assert all(call.id in found["message"] for call in calls)
    busy = await desk.http.post(f"/threads/{desk.thread}/messages", json={"content": "egal"})
    assert (busy.status_code, busy.json()["error_code"]) == (409, "thread_busy")

    told = await desk.say("sonnig", role="tool", tool_call_id=calls[1].id)
    assert (told["role"], told["content"], told["tool_call_id"]) == ("tool", "sonnig", calls[1].id)
    assert await desk.say("regnerisch", role="tool", tool_call_id=calls[1].id) == told, "the first counts"
    (found,) = await desk.refused(422, "validation_error")
    assert calls[0].id in found["message"]
    assert calls[1].id not in found["message"]
    await desk.say("windig", role="tool", tool_call_id=calls[0].id)
    run, asked = await desk.claim(), None
    if joins:
        asked = desk.asking()
        async with asyncio.timeout(10):
            while not desk.streaming.hub.listening(text=False):
                await asyncio.sleep(0.01)
    await desk.finish(run, "Sonnig und windig.")
    answer = await answer_of(asked or desk.asking())
    assert await answer_of(desk.asking()) == answer
    assert answer["content"] == "Sonnig und windig."
    assert [source["content"] for source in answer["sources"]] == ["windig", "sonnig"]
    said = await desk.said()
    assert [each["role"] for each in said] == ["user", "assistant", "tool", "tool", "assistant"]
    assert [each["id"] for each in said[1:3]] == [asking["id"], told["id"]]
    assert said == list(reversed(await desk.said(order="desc")))
    assert len(await desk.runs()) == 1
    late = await desk.http.post(
        f"/threads/{desk.thread}/messages", json={"role": "tool", "tool_call_id": calls[0].id, "content": "spät"}
    )
    assert (late.status_code, late.json()["detail"][0]["type"]) == (422, "no_such_call")


async def test_what_is_said_beside_calls_is_said_with_them(desk: Desk) -> None:
    await desk.begin("Wie ist das Wetter?")
    asked = desk.asking()
    call = client_call()
    await desk.park(await desk.claim(), call, service_call(), said="Moment.")
    asking = await answer_of(asked)
    assert asking["content"] == "Moment."
    assert [each["id"] for each in asking["tool_calls"]] == [call.id], "the services' calls are not its business"
    assert [each["id"] for each in await desk.said()][1:] == [asking["id"]]
    stolen = await desk.http.post(
        f"/threads/{desk.thread}/messages",
        json={"role": "tool", "tool_call_id": (await desk.said())[1]["tool_calls"][1]["id"], "content": "1"},
    )
    assert (stolen.status_code, stolen.json()["error_code"]) == (409, "thread_busy")
    await desk.say("1", role="tool", tool_call_id=call.id)
    assert [each["role"] for each in await desk.said()] == ["user", "assistant", "tool"]


async def test_pages_have_each_message_once_and_those_that_ask_for_calls_go_on_from(desk: Desk) -> None:
    await desk.begin("hi")
    asked = desk.asking()
    calls = [client_call("f"), client_call("g")]
    await desk.park(await desk.claim(), *calls)
    asking = await answer_of(asked)
    assert await desk.said(after=asking["id"]) == []
    for call in calls:
        await desk.say("42", role="tool", tool_call_id=call.id)
    assert [each.get("tool_call_id") for each in await desk.said(after=asking["id"])] == [call.id for call in calls]
    run = await desk.claim()
    last = client_call("h")
    await desk.park(run, last, said="Moment.")
    spoken = await answer_of(desk.asking())
    await desk.say("43", role="tool", tool_call_id=last.id)
    await desk.finish(await desk.claim())
    everything = await desk.said()
    assert [each["role"] for each in everything] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]
    assert [bool(each.get("tool_calls")) for each in everything if each["role"] == "assistant"] == [True, True, False]
    for order, expected in (("asc", everything), ("desc", everything[::-1])):
        assert await desk.said(order=order) == expected
        for limit in range(1, 6):
            read: list[Any] = []
            while page := await desk.said(order=order, limit=limit, **({"after": read[-1]["id"]} if read else {})):
                read += page
            assert read == expected, (order, limit)
    await desk.caller.delete(f"/threads/{desk.thread_id}/messages/{ids.render('message', uuid.UUID(spoken['id']))}")
    left = await desk.said()
    assert [each["role"] for each in left] == [each["role"] for each in everything]
    assert left[4]["tool_calls"] == everything[4]["tool_calls"], "what was said is gone, what was done is not"


@pytest.mark.parametrize("said", [None, "Moment."])
async def test_what_was_asked_for_in_vain_is_not_shown(desk: Desk, said: str | None) -> None:
    await desk.begin("hi")
    asked = desk.asking()
    first = client_call()
    await desk.park(await desk.claim(), first)
    await answer_of(asked)
    await desk.say("42", role="tool", tool_call_id=first.id)
    run = await desk.claim()
    await desk.park(run, client_call(), said=said)
    assert (await desk.said())[-1]["tool_calls"]
    await desk.caller.post(f"/threads/{desk.thread_id}/runs/{run.id}/cancel")
    await desk.say("never mind")
    shown_last = [each for each in await desk.said() if each["content"] != "Moment."]
    assert [each["role"] for each in shown_last] == ["user", "assistant", "tool", "user"]
    assert len([each for each in await desk.said() if each.get("tool_calls")]) == 1


async def test_a_conversation_that_the_client_has_written_is_answered(desk: Desk) -> None:
    await desk.begin("Wie ist das Wetter?")
    asks = {"id": "call_own", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    await desk.say("", role="assistant", tool_calls=[asks])
    (found,) = await desk.refused(422, "validation_error")
    assert found["type"] == "calls_not_answered"
    await desk.say("sonnig", role="tool", tool_call_id="call_own")
    asked = desk.asking()
    await desk.finish(await desk.claim())
    assert (await answer_of(asked))["role"] == "assistant"
    (found,) = await desk.refused(422, "validation_error")
    assert found["type"] == "nothing_to_answer"


async def test_what_tools_have_said_in_a_dialect_without_calls_is_no_hindrance(
    desk: Desk, entities: EntitiesCaller
) -> None:
    user = await entities.post("/users", {"name": "Francis"})
    thread = await entities.post("/threads", {"participant_ids": [user["id"]]})
    said = {"thread_id": thread["id"], "sender_id": user["id"]}
    first = await entities.post("/messages", said | {"content": "Please prove that the tool works"})
    await entities.post(f"/messages/{first['id']}/tool", {"content": '{"output": "Hello, World!"}'})
    number = renderings.read_short(thread["id"].removeprefix("thread_"))
    desk.thread = str(number)
    for question in (None, "Thanks"):
        if question is not None:
            await desk.say(question)
        asked = desk.asking({"assistant_id": await desk.caller.assistant()})
        await desk.finish(await desk.claim(), "It does.")
        assert (await answer_of(asked))["content"] == "It does."
    assert [each["role"] for each in await desk.said()] == ["user", "tool", "assistant", "user", "assistant"]


async def test_a_thread_without_a_users_word_has_no_answer(desk: Desk) -> None:
    await desk.begin()
    (found,) = await desk.refused(422, "validation_error")
    assert found["message"] == "The thread must contain at least one user message"


async def test_the_limit_leaves_the_run_alone_and_asking_again_joins_it(desk: Desk, other_app: Any) -> None:
    await desk.begin("hi")
    async with desk.at(other_app(agents_timeout=0.001)) as hasty:
        assert await desk.refused(504, "api_timeout_error", http=hasty) == "OpenAI API request timed out."
        run = await desk.claim()
        await desk.refused(504, "api_timeout_error", http=hasty)
    both = [desk.asking(), desk.asking()]
    async with asyncio.timeout(10):
        while desk.streaming.hub.listening(text=False) < 2:
            await asyncio.sleep(0.01)
    await desk.finish(run)
    first, second = [await answer_of(asked) for asked in both]
    assert first == second
    assert len(await desk.runs()) == 1


async def test_all_who_ask_at_once_get_the_same_answer(desk: Desk) -> None:
    await desk.begin("hi")
    all_of_them = [desk.asking() for _ in range(5)]
    run = await desk.claim()
    async with asyncio.timeout(10):
        # Who has tried to start a run of its own, and has not been told yet that there is one, listens to that.
        feeds = desk.streaming.hub._feeds
        while len(feeds[desk.caller.tenant, run.id].listeners) < 5:
            await asyncio.sleep(0.01)
    await desk.finish(run)
    answers = [await answer_of(asked) for asked in all_of_them]
    assert [each["id"] for each in answers] == [answers[0]["id"]] * 5
    assert len(await desk.runs()) == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("rate_limit_exceeded", (429, "rate_limit_gateway")),
        ("server_error", (503, "internal_service_error")),
        ("invalid_prompt", (422, "validation_error")),
    ],
)
async def test_runs_that_fail(desk: Desk, code: str, expected: tuple[int, str]) -> None:
    await desk.begin("hi")
    asked = desk.asking()
    await desk.fail(await desk.claim(), code)
    reply = await asyncio.wait_for(asked, 10)
    assert (reply.status_code, reply.json()["error_code"]) == expected
    assert "the model's own words" not in reply.text
    again = desk.asking()
    await desk.finish(await desk.claim())
    assert (await answer_of(again))["content"] == "Zwei Wochen.", "it can be asked again"


async def test_calls_that_are_asked_for_while_nobody_waits_are_told_to_who_asks(desk: Desk) -> None:
    await desk.begin("hi")
    asked = desk.asking()
    first, second = client_call(), client_call()
    await desk.park(await desk.claim(), first)
    await answer_of(asked)
    await desk.say("42", role="tool", tool_call_id=first.id)
    await desk.park(await desk.claim(), second)
    asking = await answer_of(desk.asking())
    assert [call["id"] for call in asking["tool_calls"]] == [second.id]
    streamed = await asyncio.wait_for(desk.asking(path="/run/stream"), 10)
    (line,) = streamed.text.splitlines()
    assert orjson.loads(line)["delta"]["tool_calls"] == asking["tool_calls"]
    assert [each["role"] for each in await desk.said()] == ["user", "assistant", "tool", "assistant"]
    await desk.say("43", role="tool", tool_call_id=second.id)
    await desk.finish(await desk.claim())
    assert (await answer_of(desk.asking()))["content"] == "Zwei Wochen."


@pytest.mark.parametrize("ending", ["answers", "fails"])
async def test_what_was_said_since_is_not_answered_with_what_was_said_before(desk: Desk, ending: str) -> None:
    await desk.begin("hi")
    asked = desk.asking()
    call = client_call()
    await desk.park(await desk.claim(), call, said="Moment.")
    await answer_of(asked)
    await desk.say("42", role="tool", tool_call_id=call.id)
    if ending == "answers":
        await desk.finish(await desk.claim(), "42.")
    else:
        await desk.fail(await desk.claim(), "server_error")
    await desk.say("And now?")
    await desk.say("43, says the app itself.", role="assistant")
    (wrong,) = await desk.refused(422, "validation_error")
    assert wrong["type"] == "nothing_to_answer"
    assert len(await desk.runs()) == 1


async def test_a_run_that_fails_with_its_clients_outputs_is_asked_again(desk: Desk) -> None:
    await desk.begin("hi")
    asked = desk.asking()
    call = client_call()
    await desk.park(await desk.claim(), call, said="Moment.")
    await answer_of(asked)
    await desk.say("42", role="tool", tool_call_id=call.id)
    await desk.fail(await desk.claim(), "server_error")
    asked = desk.asking()
    await desk.finish(await desk.claim(), "42.")
    assert (await answer_of(asked))["content"] == "42."
    assert len(await desk.runs()) == 2


async def test_runs_that_end_otherwise(desk: Desk) -> None:
    await desk.begin("hi")
    asked = desk.asking()
    run = await desk.claim()
    await desk.finish(run, "Halb", incomplete="max_completion_tokens")
    assert (await answer_of(asked))["content"] == "Halb", "it is an answer, as far as it goes"
    await desk.say("und jetzt?")
    asked = desk.asking()
    run = await desk.claim()
    await desk.caller.post(f"/threads/{desk.thread_id}/runs/{run.id}/cancel")
    await desk.streaming.driving.obey_cancel(run, None)
    await desk.news(run)
    reply = await asyncio.wait_for(asked, 10)
    assert (reply.status_code, reply.json()["error_code"]) == (503, "internal_service_error")


async def test_a_thread_that_is_deleted_meanwhile(desk: Desk) -> None:
    await desk.begin("hi")
    asked = desk.asking()
    run = await desk.claim()
    assert (await desk.http.delete(f"/threads/{desk.thread}")).status_code == 204
    await desk.news(run)
    reply = await asyncio.wait_for(asked, 10)
    assert (reply.status_code, reply.json()["error_code"]) == (404, "thread_not_found")


async def test_whose_answer_it_is(desk: Desk, new_caller: Any) -> None:
    other = await desk.caller.assistant()
    await desk.begin("hi")
    thread_id = await desk.caller.thread("hi")
    desk.thread = shown("thread", thread_id)
    await desk.refused(403, "assistant_not_available")
    foreign = await (await new_caller()).assistant()
    await desk.refused(403, "assistant_not_available", body={"assistant_id": foreign})
    for body, expected in (({"assistant_id": shown("assistant", other)}, other), ({}, other)):
        asked = desk.asking(body)
        run = await desk.claim()
        assert run.assistant_id == expected, "named, or the one that answered last"
        await desk.finish(run)
        await answer_of(asked)
        await desk.say("und?")
    await desk.caller.delete(f"/assistants/{other}")
    await desk.refused(403, "assistant_not_available")


async def test_a_key_makes_so_many_requests_in_a_minute(desk: Desk, other_app: Any, new_caller: Any) -> None:
    await desk.begin("hi")
    app = other_app(agents_requests_per_minute=3)
    stranger = await new_caller()
    async with desk.at(app) as limited:
        for _ in range(3):
            assert (await limited.get("/threads")).status_code == 200
        refused = await limited.get("/threads")
        other = await limited.get("/threads", headers={"api-key": stranger.key})
    assert refused.json() == {"error_code": "rate_limit_gateway", "detail": "Rate limit exceeded"}
    assert refused.status_code == 429
    assert 50 < int(refused.headers["retry-after"]) <= 60
    assert other.status_code == 200
    async with desk.at(other_app(agents_requests_per_minute=0)) as unlimited:
        assert {(await unlimited.get("/threads")).status_code for _ in range(10)} == {200}


async def test_a_request_with_a_key_has_one_answer(desk: Desk) -> None:
    await desk.begin("hi")
    key = {"idempotency_key": f"key-{uuid.uuid4()}"}
    asked = desk.asking(**key)
    run = await desk.claim()
    meanwhile = desk.asking(**key)
    await desk.finish(run)
    answer = await answer_of(asked)
    assert await answer_of(meanwhile) == answer
    assert await answer_of(desk.asking(**key)) == answer, "also when there is nothing more to answer"
    assert len(await desk.runs()) == 1
    await desk.refused(409, "idempotency_key_reused", body={"tool_choice": "none"}, **key)
    await desk.refused(422, "validation_error", idempotency_key="x" * 300)
    await desk.refused(422, "validation_error", idempotency_key="another")
    await desk.say("und?")
    again = desk.asking(idempotency_key="another")
    await desk.finish(await desk.claim(), "Ja.")
    assert (await answer_of(again))["content"] == "Ja.", "a refusal is not kept"


async def test_the_worker_knows_at_once_of_a_wait_with_a_key(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is noted after the commit, a fast worker does not see any more: the wait would last until the next look.
    monkeypatch.setattr(Hub, "catch_up", lambda *_: None)
    await desk.begin("hi")
    asked = desk.asking(idempotency_key=f"key-{uuid.uuid4()}")
    assert (await desk.claim()).stream_slots
    asked.cancel()


async def test_nobody_waits_for_a_client_that_has_gone(desk: Desk, app: ASGIApp) -> None:
    await desk.begin("hi")
    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b"{}", "more_body": False})
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    path = f"/agents/v1/threads/{desk.thread}/run"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"api-key", desk.caller.key.encode())],
    }
    served = asyncio.create_task(app(scope, messages.get, send))  # type: ignore[arg-type] # a coroutine, as all apps are
    run = await desk.claim()
    hub = desk.streaming.hub
    assert hub.listening(text=False) == 1
    messages.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(served, 10)
    assert (sent, hub.listening(text=False)) == ([], 0)
    await desk.finish(run)
    assert [each["content"] for each in await desk.said()] == ["hi", "Zwei Wochen."], "the run went on"


@pytest.mark.parametrize(
    "body",
    [
        {"tools": 1},
        {"tools": [{"type": "function"}]},
        {"tools": [{"type": "function", "function": {"name": "no name"}}]},
        {"tool_choice": "sometimes"},
        {"tool_choice": {"type": "function", "function": {}}},
        {"assistant_id": 7},
    ],
)
async def test_tools_that_are_not_what_they_should_be(desk: Desk, body: Any) -> None:
    await desk.begin("hi")
    for path in ("/run", "/run/stream"):
        detail = await desk.refused(422, "validation_error", body=body, path=path)
        assert detail[0]["loc"][:2] == ["body", next(iter(body))]
    assert await desk.runs() == []
