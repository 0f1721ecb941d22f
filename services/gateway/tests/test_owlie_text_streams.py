"""Answers as raw text: what is written comes as it is written, and how one ends that does not become whole."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import orjson
import pytest
from engine_world import answer, call, new_id
from gateway.application.streams.readings import Reading
from gateway.application.streams.telling import EndTold, MessageTold, Place, RunTold, StepTold, TextTold, Told
from gateway.application.streams.texts import AnswerFailed, texts
from run_engine.domain.objects import Message, RunStep, Usage
from run_engine.domain.status import MessageStatus, RunStatus, StepStatus
from stream_scripts import NOW, RUN
from streaming_caller import Streaming

PLACE = Place(1, 0)


class RawStream:
    """One request whose reply is read as it comes, without a socket."""

    def __init__(self, front_end: Any, method: str, path: str, body: Any = None, **headers: str) -> None:
        self._body = b"" if body is None else orjson.dumps(body)
        self._gone, self._news, self._asked = asyncio.Event(), asyncio.Condition(), False
        self.status, self.headers, self.raw = 0, dict[str, str](), b""
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "server": ("gateway", 80),
            "client": ("192.0.2.1", 1),
            "root_path": "",
        }
        self.task = asyncio.create_task(front_end.app(scope, self._receive, self._send))

    async def _receive(self) -> Any:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        self.raw += message.get("body", b"")
        async with self._news:
            self._news.notify_all()

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(seen)

    async def reads(self, text: str) -> None:
        await self.until(lambda: self.raw.decode(errors="replace") == text)

    async def end(self) -> str:
        async with asyncio.timeout(10):
            await self.task
        return self.raw.decode()

    def leave(self) -> None:
        self._gone.set()


@pytest.fixture
async def question(caller: Any, owlie: Any) -> dict[str, str]:
    token = owlie.ids.token("assistant", await caller.assistant())
    return {"content": "was ist java", "assistant_id": token}


@pytest.fixture
async def thread(caller: Any, owlie: Any) -> str:
    return str(owlie.ids.token("thread", await caller.thread()))


async def begun(streaming: Streaming, owlie: Any, thread: str) -> Any:
    path = f"/threads/{owlie.ids.id_of('thread', thread)}/runs"
    async with asyncio.timeout(10):
        while not (runs := (await streaming.caller.get(path))["data"]):
            await asyncio.sleep(0.01)
    return runs[0]


@pytest.mark.parametrize("route", ["send_and_stream", "stream"])
async def test_the_text_comes_as_it_is_written(
    streaming: Streaming, owlie: Any, question: dict[str, str], thread: str, route: str
) -> None:
    path = f"/api/threads/{thread}/{route}"
    if route == "stream":
        path += f"?assistant_id={question['assistant_id']}&message=was%20ist%20java"
        stream = RawStream(owlie, "GET", path)
    else:
        stream = RawStream(owlie, "POST", path, question)
    run = await begun(streaming, owlie, thread)
    claimed = await streaming.claim(run)
    step_id, message_id = new_id("step"), new_id("message")
    await streaming.open(claimed, step_id, message_id)
    await streaming.write(run, step_id, 0, "Kaffee, ")
    await stream.reads("Kaffee, ")
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    await streaming.write(run, step_id, 8, "Insel 💬\n\n")
    await stream.reads("Kaffee, Insel 💬\n\n")
    await streaming.finish(claimed, step_id, message_id, "Kaffee, Insel 💬\n\ndata: Sprache")
    assert await stream.end() == "Kaffee, Insel 💬\n\ndata: Sprache", "nothing else is in the body"
    newest, oldest = await owlie.messages(thread)
    assert (oldest["content"], newest["content"]) == ("was ist java", "Kaffee, Insel 💬\n\ndata: Sprache")


async def test_looking_at_the_stream_asks_nothing(owlie: Any, question: dict[str, str], thread: str) -> None:
    query = f"assistant_id={question['assistant_id']}&message=x"
    reply = await owlie.http.head(f"/api/threads/{thread}/stream?{query}")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET")
    assert await owlie.messages(thread) == []


async def test_an_answer_that_fails_in_the_middle_says_so(
    streaming: Streaming, owlie: Any, question: dict[str, str], thread: str
) -> None:
    stream = RawStream(owlie, "POST", f"/api/threads/{thread}/send_and_stream", question)
    run = await begun(streaming, owlie, thread)
    claimed = await streaming.claim(run)
    step_id = new_id("step")
    await streaming.open(claimed, step_id, new_id("message"))
    await streaming.write(run, step_id, 0, "Kaff")
    await stream.reads("Kaff")
    await streaming.driving.fail(claimed, "server_error", "The model has gone.")
    ended = await stream.end()
    assert ended.startswith("Kaff\n\nError: The answer could not be written")
    assert ended.endswith("The model has gone.")


async def test_a_refusal_before_the_first_word_is_a_refusal(owlie: Any, question: dict[str, str], thread: str) -> None:
    path = f"/api/threads/{thread}/send_and_stream"
    wrong = {**question, "assistant_id": thread}
    assert await owlie.refused("POST", path, 404, json=wrong) == "No assistant has this id."
    assert "content" in await owlie.refused("POST", path, 422, json={"assistant_id": question["assistant_id"]})
    assert "message" in await owlie.refused("GET", f"/api/threads/{thread}/stream", 422)
    many = "&".join(["x=1"] * 40)
    assert "parameters" in await owlie.refused("GET", f"/api/threads/{thread}/stream?{many}", 422)


async def test_a_reader_that_goes_stops_nothing(
    streaming: Streaming, owlie: Any, question: dict[str, str], thread: str
) -> None:
    stream = RawStream(owlie, "POST", f"/api/threads/{thread}/send_and_stream", question)
    run = await begun(streaming, owlie, thread)
    stream.leave()
    await stream.end()
    claimed = await streaming.claim(run)
    await streaming.driving.finish(claimed, answer("for later"))
    assert (await owlie.messages(thread))[0]["content"] == "for later"


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "a click"}])
async def test_who_waits_for_the_whole_answer_and_goes_is_not_waited_with(
    caller: Any, owlie: Any, streaming: Streaming, question: dict[str, str], thread: str, key: dict[str, str]
) -> None:
    waiting = RawStream(owlie, "POST", f"/api/threads/{thread}/send_and_wait", question, **key)
    run = await begun(streaming, owlie, thread)
    async with asyncio.timeout(10):
        while streaming.hub.listening(text=False) < 1:
            await asyncio.sleep(0.01)
    waiting.leave()
    assert await waiting.end() == ""
    assert streaming.hub.listening(text=False) == 0
    claimed = await caller.worker.driving.claim(caller.tenant, run["id"])
    await caller.worker.driving.finish(claimed, answer("for whoever comes back"))
    assert (await owlie.messages(thread))[0]["content"] == "for whoever comes back"


async def test_a_front_end_answers_a_call_while_it_reads(
    streaming: Streaming, owlie: Any, question: dict[str, str], thread: str
) -> None:
    stream = RawStream(owlie, "POST", f"/api/threads/{thread}/send_and_stream", question)
    run = await begun(streaming, owlie, thread)
    claimed, wanted = await streaming.claim(run), call()
    await streaming.driving.park(claimed, new_id("step"), [wanted], Usage())
    path = f"/api/threads/{thread}/runs/{run['id']}/tool"
    assert (await owlie.post(path, [{"tool_id": wanted.id, "output": "42"}]))["status"] == "queued"
    await streaming.driving.finish(await streaming.claim(run), answer("It is 42."))
    assert await stream.end() == "It is 42."


async def test_a_repetition_joins_the_answer(
    streaming: Streaming, owlie: Any, question: dict[str, str], thread: str
) -> None:
    path = f"/api/threads/{thread}/send_and_stream"
    first = RawStream(owlie, "POST", path, question, idempotency_key="one click")
    run = await begun(streaming, owlie, thread)
    second = RawStream(owlie, "POST", path, question, idempotency_key="one click")
    await streaming.driving.finish(await streaming.claim(run), answer("once"))
    assert (await first.end(), await second.end()) == ("once", "once")
    assert second.headers["idempotent-replayed"] == "true"
    assert len(await owlie.messages(thread)) == 2


class Prepared:
    """A reading of which is known what it tells."""

    def __init__(self, *batches: Sequence[Told]) -> None:
        self._batches = list(batches)

    @property
    def ended(self) -> bool:
        return not self._batches

    async def told(self) -> list[Told]:
        return list(self._batches.pop(0))


def said(text: str, message_id: str = "msg_1") -> TextTold:
    return TextTold(PLACE, message_id, 0, "text", text, first=False)


def ran(status: RunStatus) -> RunTold:
    return RunTold(PLACE, status.value, replace(RUN, status=status))


def cut(reason: str) -> MessageTold:
    message = Message(
        id="msg_1",
        thread_id="thread_1",
        created_at=NOW,
        status=MessageStatus.INCOMPLETE,
        incomplete_details={"reason": reason},
        completed_at=None,
        incomplete_at=NOW,
        role="assistant",
        content=[],
        assistant_id=None,
        run_id="run_1",
        attachments=None,
        metadata={},
    )
    return MessageTold(PLACE, "incomplete", message)


def step(name: str) -> StepTold:
    made = RunStep(
        id="step_2",
        run_id="run_1",
        thread_id="thread_1",
        assistant_id="asst_1",
        created_at=NOW,
        type="message_creation",
        status=StepStatus.IN_PROGRESS,
        message_id="msg_2",
        tool_calls=(),
        last_error=None,
        completed_at=None,
        failed_at=None,
        cancelled_at=None,
        expired_at=None,
        metadata={},
        usage=None,
    )
    return StepTold(PLACE, name, made)


async def pieces(*batches: Sequence[Told]) -> tuple[list[str], RunStatus | None]:
    """What is given of an answer, and the status of the run where it failed."""
    given: list[str] = []
    try:
        async for piece in texts(cast("Reading", Prepared([ran(RunStatus.QUEUED)], *batches))):
            given.append(piece)
    except AnswerFailed as failed:
        return given, failed.run.status
    return given, None


async def test_what_has_come_meanwhile_is_one_piece() -> None:
    told = [said("Hel"), said("lo")], [], [said(" world"), ran(RunStatus.COMPLETED), EndTold(PLACE)]
    assert await pieces(*told) == (["Hello", " world"], None)


async def test_messages_are_paragraphs() -> None:
    told = [said("I look it up.")], [ran(RunStatus.REQUIRES_ACTION)], [said("It ", "msg_2"), said("is 42.", "msg_2")]
    assert await pieces(*told, [ran(RunStatus.COMPLETED)]) == (["I look it up.", "\n\nIt is 42."], None)


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.EXPIRED])
async def test_runs_that_do_not_answer(status: RunStatus) -> None:
    assert await pieces([said("Hel"), cut("run_failed"), step("failed"), ran(status)]) == (["Hel"], status)


async def test_an_answer_that_was_stopped_ends_where_it_was(
    streaming: Streaming, owlie: Any, question: dict[str, str], thread: str
) -> None:
    """The front end shows what it reads as the answer: a student who stops one is shown no error."""
    stream = RawStream(owlie, "POST", f"/api/threads/{thread}/send_and_stream", question)
    run = await begun(streaming, owlie, thread)
    claimed = await streaming.claim(run)
    step_id = new_id("step")
    await streaming.open(claimed, step_id, new_id("message"))
    await streaming.write(run, step_id, 0, "Java ist")
    await stream.reads("Java ist")
    stopped = await owlie.post(f"/api/threads/{thread}/runs/{run['id']}/cancel")
    assert stopped == {"message": "Thread stopped successfully."}
    await streaming.driving.obey_cancel(claimed)
    assert await stream.end() == "Java ist"
    assert await pieces([ran(RunStatus.CANCELLED), EndTold(PLACE)]) == ([], None), "nothing was said yet"


async def test_an_answer_that_is_cut_short_is_one() -> None:
    assert await pieces([said("Hel"), cut("max_tokens"), ran(RunStatus.INCOMPLETE)]) == (["Hel"], None)


async def test_another_worker_begins_again_and_that_is_no_part_of_the_text() -> None:
    """Whoever has read the beginning would read it twice."""
    lost = [said("Hel")], [cut("run_failed"), step("failed")]
    assert await pieces(*lost, [step("created"), said("Hello", "msg_2")]) == (["Hel"], RunStatus.QUEUED)
    assert await pieces([step("failed")], [step("created"), said("Hello")], [ran(RunStatus.COMPLETED)]) == (
        ["Hello"],
        None,
    ), "nothing was given before"
