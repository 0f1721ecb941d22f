"""An app of `/agents/v1` and the worker that answers it. Used by the gateway's tests of that dialect."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import orjson
from engine_world import new_id, text
from run_engine.domain import ids
from run_engine.domain.drafts import NewToolCall
from run_engine.domain.objects import Json, Run, Usage
from run_engine.store.driving import Answer, Said
from starlette.types import ASGIApp
from streaming_caller import Streaming

USAGE = Usage(prompt_tokens=3, completion_tokens=2)


def client_call(name: str = "f", arguments: str = "{}") -> NewToolCall:
    return NewToolCall(id=new_id("tool_call"), name=name, arguments=arguments)


def service_call(name: str = "search") -> NewToolCall:
    return NewToolCall(id=new_id("tool_call"), name=name, arguments="{}", service="moodle", timeout=30)


def shown(kind: str, object_id: str) -> str:
    """The id of an object of `/v1` on this wire."""
    number = ids.read(kind, object_id)
    assert number is not None
    return str(number)


class Desk:
    """One thread, who asks in it, and who answers."""

    def __init__(self, streaming: Streaming, app: ASGIApp) -> None:
        self.streaming = streaming
        self.caller = streaming.caller
        self.http = self.at(app)
        self.thread = ""
        self.assistant = ""

    def at(self, app: ASGIApp) -> httpx.AsyncClient:
        """The same caller, at another gateway."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway/agents/v1",
            headers={"api-key": self.caller.key},
        )

    async def begin(self, *texts: str, **fields: Any) -> None:
        """A new thread with messages of its user, for an assistant with these fields."""
        self.assistant = await self.caller.assistant(**fields)
        reply = await self.http.post("/threads", json={"assistant_id": self.assistant, "title": "a title"})
        self.thread = reply.json()["id"]
        for each in texts:
            await self.say(each)

    async def say(self, content: str, **fields: Any) -> Any:
        reply = await self.http.post(f"/threads/{self.thread}/messages", json={"content": content, **fields})
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def said(self, **query: Any) -> list[Any]:
        reply = await self.http.get(f"/threads/{self.thread}/messages", params=query)
        assert reply.status_code == 200, reply.text
        found: list[Any] = reply.json()
        return found

    def asking(
        self, body: Any = None, *, path: str = "/run", http: httpx.AsyncClient | None = None, **headers: str
    ) -> asyncio.Task[httpx.Response]:
        """A request for an answer, under way."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = (http or self.http).post(
            f"/threads/{self.thread}{path}", json={} if body is None else body, headers=given, timeout=30
        )
        return asyncio.create_task(asked)

    async def refused(self, *expected: Any, **asked: Any) -> Any:
        """The detail of a request for an answer that has to be refused with this status and code."""
        reply = await asyncio.wait_for(self.asking(**asked), 10)
        assert (reply.status_code, reply.json()["error_code"]) == expected, reply.text
        return reply.json()["detail"]

    @property
    def thread_id(self) -> str:
        """The thread's id in `/v1`."""
        return ids.render("thread", UUID(self.thread))

    async def runs(self) -> list[Any]:
        """The thread's runs, newest first."""
        return list((await self.caller.get(f"/threads/{self.thread_id}/runs"))["data"])

    async def claim(self) -> Run:
        """The run that is asked for, once it is, as its worker has it."""
        async with asyncio.timeout(10):
            while True:
                for run in await self.runs():
                    if run["status"] == "queued":
                        claimed: Run | None = await self.streaming.driving.claim(self.caller.tenant, run["id"])
                        assert claimed is not None
                        return claimed
                await asyncio.sleep(0.01)

    async def news(self, run: Run) -> None:
        """The hint that the worker sends when it lets go of a run."""
        await self.streaming.send({"seq": run.seq + 1}, {"id": run.id})

    async def finish(
        self,
        run: Run,
        said: str = "Zwei Wochen.",
        annotations: list[Json] | None = None,
        incomplete: str | None = None,
    ) -> None:
        content = text(said)
        content[0]["text"]["annotations"] = annotations or []  # type: ignore[index] # as `text` makes it
        ids_ = {"step_id": new_id("step"), "message_id": new_id("message")}
        await self.streaming.driving.finish(
            run, Answer(**ids_, content=content, usage=USAGE, incomplete_reason=incomplete)
        )
        await self.news(run)

    async def park(self, run: Run, *calls: NewToolCall, said: str | None = None) -> None:
        spoken = None
        if said is not None:
            spoken = Said(step_id=new_id("step"), message_id=new_id("message"), content=text(said))
        await self.streaming.driving.park(run, new_id("step"), calls, USAGE, spoken)
        await self.news(run)

    async def fail(self, run: Run, code: str) -> None:
        await self.streaming.driving.fail(run, code, "the model's own words")
        await self.news(run)


def lines_of(reply: httpx.Response) -> list[Any]:
    """The lines of a stream."""
    assert reply.text.endswith("\n")
    return [orjson.loads(line) for line in reply.text.splitlines()]
