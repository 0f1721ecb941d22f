"""A caller of version 1 with objects of every kind. Used by the tests of version 1."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
from engine_world import call, new_id
from ruby_client import VERSION_1, Client
from run_engine.domain.files import NewFile
from run_engine.domain.objects import Usage
from run_engine.store.files import Files
from starlette.types import ASGIApp

LOOK_UP = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


class Version1:
    """The Ruby client of `caller`'s tenant; `caller` itself is a client of version 2 of the same tenant."""

    def __init__(self, app: ASGIApp, caller: Any) -> None:
        self.caller = caller
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway/v1")
        self.client = Client(self.http, caller.key)
        self.call = self.client.call

    @property
    def key(self) -> str:
        """The value of an Authorization header."""
        return f"Bearer {self.caller.key}"

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Send what the Ruby client has no operation for, or not so."""
        return await self.http.post(path, json=body, headers={"authorization": self.key, **VERSION_1, **headers})

    async def file(self) -> str:
        """A file of the tenant, without bytes."""
        files, key = Files(self.caller.database), uuid4().hex
        await files.reserve(self.caller.tenant, key, 1)
        draft = NewFile(id=new_id("file"), bytes=1, filename="a.txt", purpose="assistants")
        return (await files.create(self.caller.tenant, key, draft)).id

    async def files(self, count: int) -> list[str]:
        return [await self.file() for _ in range(count)]

    async def refused(self, name: str, place: Mapping[str, str], status: int = 400, /, **more: Any) -> Any:
        """The error object of an operation that has to be refused with `status`."""
        response = await self.client.send(name, place, **more)
        assert response.status_code == status, response.text
        return response.json()["error"]

    async def place(self) -> dict[str, str]:
        """Ids of objects: an assistant and a message with files, a thread, and a run with a step that waits for its
        client. `idle_thread_id` is of a thread that has no run."""
        first, second = await self.files(2)
        assistant = await self.call(
            "create_assistant", {"model": "demo"}, tools=[{"type": "retrieval"}, LOOK_UP], file_ids=[first, second]
        )
        message = {"role": "user", "content": "hello", "file_ids": [first, second]}
        idle = await self.call("create_thread", {}, messages=[message])
        run = await self.call(
            "create_thread_and_run", {"assistant_id": assistant["id"]}, thread={"messages": [message]}
        )
        ids = {"thread_id": run["thread_id"], "run_id": run["id"], "assistant_id": assistant["id"], "file_id": first}
        asked = await self.parked(ids)
        listed = await self.call("list_messages", ids)
        return {
            **ids,
            "idle_thread_id": idle["id"],
            "message_id": listed["data"][0]["id"],
            "step_id": (await self.call("list_run_steps", ids))["data"][0]["id"],
            "call_id": asked,
            "model": "demo",
            "content": "hello again",
        }

    async def parked(self, ids: Mapping[str, str]) -> str:
        """Let the run wait for its client; return the id of the call."""
        driving = self.caller.worker.driving
        claimed, asked = await driving.claim(self.caller.tenant, ids["run_id"]), call()
        await driving.park(claimed, new_id("step"), [asked], Usage(prompt_tokens=7, completion_tokens=3))
        return asked.id
