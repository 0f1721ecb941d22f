"""A tenant on `/entities/v1`, for the tests of that dialect; each test gets one of its own through a fixture."""

from types import TracebackType
from typing import Any, Self

import httpx
from engine_world import Worker, answer, new_id
from run_engine.domain import ids, renderings
from run_engine.domain.drafts import NewToolCall
from run_engine.domain.objects import Run, Usage
from run_engine.store.driving import Answer
from starlette.types import ASGIApp


class EntitiesCaller:
    """The way of a tenant to the dialect. `openai` is the same tenant on `/v1`, whose worker drives its runs."""

    def __init__(self, app: ASGIApp, openai: Any) -> None:
        self.openai = openai
        self.tenant: str = openai.tenant
        self.worker: Worker = openai.worker
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gateway/entities/v1",
            headers={"authorization": f"Bearer {openai.key}"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def get(self, path: str, **query: Any) -> Any:
        return self._succeeded(await self.http.get(path, params=query))

    async def post(self, path: str, body: Any = None) -> Any:
        return self._succeeded(await self.http.post(path, json=body))

    async def put(self, path: str, body: Any) -> Any:
        return self._succeeded(await self.http.put(path, json=body))

    async def delete(self, path: str) -> None:
        response = await self.http.delete(path)
        assert (response.status_code, response.content) == (204, b""), response.text
        assert "content-type" not in response.headers

    async def refused(self, method: str, path: str, status: int, **request: Any) -> Any:
        """The detail of a request that has to be refused with `status`."""
        response = await self.http.request(method, path, **request)
        assert response.status_code == status, response.text
        body = response.json()
        assert list(body) == ["detail"]
        return body["detail"]

    @staticmethod
    def _succeeded(response: httpx.Response) -> Any:
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        return response.json()

    async def user(self, name: str = "ada") -> str:
        return str((await self.post("/users", {"name": name}))["id"])

    async def thread(self, *participants: str) -> str:
        return str((await self.post("/threads", {"participant_ids": list(participants)}))["id"])

    async def assistant(self, **fields: Any) -> str:
        return str((await self.post("/assistants", {"name": "Nexa", "model": "demo", **fields}))["id"])

    async def say(self, thread_id: str, sender_id: str, content: str) -> Any:
        return await self.post("/messages", {"content": content, "thread_id": thread_id, "sender_id": sender_id})

    async def started(self, **fields: Any) -> tuple[Any, Run]:
        """A queued run on a thread in which somebody has said something: as the dialect and the engine show it."""
        user = await self.user()
        thread = await self.thread(user)
        await self.say(thread, user, "hello")
        shown = await self.post("/runs", {"assistant_id": await self.assistant(), "thread_id": thread, **fields})
        return shown, await self.stored(shown)

    async def stored(self, shown: Any) -> Run:
        """The engine's run behind one that the dialect shows: the same number."""
        number = renderings.read_short(shown["id"].removeprefix("run_"))
        assert number is not None
        return await self.worker.runs.find(self.tenant, ids.render("run", number))

    async def claimed(self, run: Run) -> Run:
        claimed = await self.worker.driving.claim(self.tenant, run.id)
        assert claimed is not None
        return claimed

    async def parked(self, *calls: NewToolCall) -> tuple[Any, Run]:
        """A run whose model has made these calls."""
        shown, run = await self.started()
        claimed = await self.claimed(run)
        await self.worker.driving.park(claimed, new_id("step"), calls, Usage(prompt_tokens=7, completion_tokens=3))
        return shown, run

    async def finished(self, run: Run, ending: Answer | None = None) -> None:
        await self.worker.driving.finish(await self.claimed(run), ending or answer())
