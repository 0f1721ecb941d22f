"""The session of the seed document, request by request, as the front end of a university's course chat makes it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from held_moodle import HeldMoodle, moodle_of
from installation import Installation
from owlie_front_end import TOKEN, FrontEnd
from websockets.asyncio.client import connect

COURSE = "Tutorinnenqualifizierung"
JAVA = "was ist java in 3 worten"
DATES = "was sind die termine für diesen kurs"
POLLS_SECONDS = 0.1
"""More often than a browser would."""
ENDED = {"completed", "failed", "cancelled", "expired", "incomplete"}


@pytest_asyncio.fixture
async def front_end(installation: Installation) -> AsyncIterator[FrontEnd]:
    async with httpx.AsyncClient(base_url=installation.url.removesuffix("/v1"), timeout=60) as http:
        yield FrontEnd(http)


@pytest_asyncio.fixture
async def assistant(front_end: FrontEnd) -> str:
    """The encrypted id of the demo course's assistant, found as the front end finds it."""
    subject = {"university": "htw_berlin", "degree": "bachelor", "subject": "wirtschaftsinformatik"}
    assert await front_end.get("/api/courses", **subject) == {"courses": [COURSE]}
    found = await front_end.get("/api/get_assistant_ids", course_name=COURSE, mode_name="general")
    assert list(found) == ["assistant_id"]
    return str(found["assistant_id"])


@pytest.fixture
def moodle(installation: Installation) -> Iterator[HeldMoodle]:
    with moodle_of(installation) as held:
        yield held


async def polled(front_end: FrontEnd, thread: str, run_id: str, *until: str) -> Any:
    """What a front end sees of a run once it has ended, or has another one of the given statuses."""
    async with asyncio.timeout(60):
        while (shown := await front_end.status(thread, run_id))["status"] not in {*until, *ENDED}:
            await asyncio.sleep(POLLS_SECONDS)
    return shown


async def test_the_session_of_the_seed(front_end: FrontEnd, assistant: str, moodle: HeldMoodle) -> None:
    # 1. get new thread
    begun = await front_end.new(assistant)
    thread = begun["thread_id"]
    assert begun["status"] == "queued"
    assert (await polled(front_end, thread, begun["run_id"]))["status"] == "completed"
    greeting, hidden = await front_end.messages(thread)
    assert (hidden["role"], hidden["hidden"]) == ("user", True)
    assert (greeting["role"], greeting["hidden"]) == ("assistant", False)
    assert greeting["content"]

    # 2. post new message
    asked = await front_end.ask(thread, JAVA, assistant)
    assert (asked["status"], asked["required_action"], asked["last_error"]) == ("queued", None, None)

    # 3. wait and get information of the run
    seen = await polled(front_end, thread, asked["run_id"], "requires_action")
    assert seen["run_id"] == asked["run_id"]
    assert (seen["status"], seen["required_action"], seen["last_error"]) == ("completed", None, None)

    # Moodle, 1. send moodle related question. Moodle takes its time, as it does.
    moodle.hold("51589")
    asked = await front_end.ask(thread, DATES, assistant)

    # Moodle, 2. get info of the run
    waiting = await polled(front_end, thread, asked["run_id"], "requires_action")
    assert (waiting["run_id"], waiting["status"], waiting["last_error"]) == (asked["run_id"], "requires_action", None)
    assert waiting["required_action"]["type"] == "submit_tool_outputs"
    (call,) = waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert call == {
        "id": call["id"],
        "function": {"arguments": call["function"]["arguments"], "name": "get_moodle_course_content"},
        "type": "function",
    }
    assert call["id"].startswith("call_")
    assert orjson.loads(call["function"]["arguments"]) == {"courseid": "51589"}

    moodle.release()
    assert (await polled(front_end, thread, asked["run_id"]))["status"] == "completed"

    # The message list with the dates.
    messages = await front_end.messages(thread)
    assert [(each["role"], each["hidden"]) for each in messages] == [
        ("assistant", False),
        ("user", False),
        ("assistant", False),
        ("user", False),
        ("assistant", False),
        ("user", True),
    ]
    assert [each["content"] for each in messages[1:4:2]] == [DATES, JAVA]
    for date in ("25.10.", "26.10.", "08.11.", "22.11."):
        assert f"**{date}**" in messages[0]["content"]
    assert "WH Gebäude C 406" in messages[0]["content"]
    assert messages[0]["id"].startswith("msg_")
    assert JAVA in messages[2]["content"]


async def test_the_other_ways_to_an_answer(front_end: FrontEnd, assistant: str) -> None:
    thread = (await front_end.new(assistant))["thread_id"]
    await settled(front_end, thread)
    body = {"content": DATES, "assistant_id": assistant}
    pieces = []
    async with front_end.http.stream("POST", f"/api/threads/{thread}/send_and_stream", json=body) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        async for piece in reply.aiter_text():
            pieces.append(piece)
    await settled(front_end, thread)
    assert "".join(pieces) == (await front_end.messages(thread))[0]["content"]

    query = {"assistant_id": assistant, "message": JAVA}
    streamed = await front_end.http.get(f"/api/threads/{thread}/stream", params=query)
    await settled(front_end, thread)
    assert streamed.text == (await front_end.messages(thread))[0]["content"]

    waited = await front_end.post(f"/api/threads/{thread}/send_and_wait", body)
    assert waited == (await front_end.messages(thread))[0]
    assert "25.10." in waited["content"]


async def settled(front_end: FrontEnd, thread: str) -> None:
    """Wait until the last message of a thread is the assistant's, and the next one can be asked for."""
    async with asyncio.timeout(60):
        while True:
            newest = (await front_end.messages(thread))[0]
            if newest["role"] == "assistant" and newest["content"]:
                return
            await asyncio.sleep(POLLS_SECONDS)


async def test_the_websocket(installation: Installation, front_end: FrontEnd, assistant: str) -> None:
    thread = (await front_end.new(assistant))["thread_id"]
    await settled(front_end, thread)
    address = installation.url.replace("http://", "ws://").removesuffix("/v1") + "/ws"
    async with connect(address, proxy=None) as socket:
        for question in (JAVA, DATES):
            asked = {"thread_id": thread, "assistant_id": assistant, "message": question}
            await socket.send(orjson.dumps(asked).decode())
            pieces: list[str] = []
            async with asyncio.timeout(60):
                while (frame := await socket.recv(decode=True)) != "˘DONE˘":
                    pieces.append(frame)
            assert "".join(pieces) == (await front_end.messages(thread))[0]["content"]
        await socket.send("{}")
        assert (await socket.recv(decode=True)).startswith("Error: Invalid payload - ")


async def test_ids_of_others_are_nobody(front_end: FrontEnd, assistant: str) -> None:
    for token in ("thread_9fwl8WPTti77Tk1QxhLLvaRq", assistant, assistant[:-3] + "A==", "gAAAAA"):
        assert await front_end.refused("GET", f"/api/threads/{token}", 404) == "No thread has this id."
    assert await front_end.refused("GET", "/api/unknown", 404) == "Not Found"


@pytest.mark.parametrize("path", ["/api/threads/x", "/ws", "/v1/threads"])
async def test_pages_of_other_origins_are_not_let_in(front_end: FrontEnd, path: str) -> None:
    asking = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    reply = await front_end.http.options(path, headers=asking)
    assert not [name for name in reply.headers if name.startswith("access-control-")]


async def test_the_content_of_a_course_outside_of_any_run(front_end: FrontEnd) -> None:
    path = "/api/tools/get_moodle_course_content"
    for course_id in ("51589", 51589):
        content = await front_end.post(path, {"courseid": course_id})
        assert content["status"] == "success"
        assert "WH Gebäude C 406" in content["content"]
    assert await front_end.refused("POST", path, 404, json={"courseid": "50726"}) == "There is no such course."


async def test_neither_keys_nor_what_opens_something_is_in_a_log(
    installation: Installation, front_end: FrontEnd
) -> None:
    assert (await front_end.http.get("/api/get_assistant_ids", params={"course_name": COURSE})).status_code == 422
    logs = installation.logs()
    assert "/api/threads/{thread_id}" in logs, "there is something to look at"
    assert (installation.data_dir / "owlie-keys").read_text().strip() not in logs
    assert TOKEN.search(logs) is None
