"""What the front end of Owlie does, request by request. Used by the tests of the gateway and end to end."""

import re
from typing import Any

import httpx

TOKEN = re.compile(r"gAAAA[A-Za-z0-9_-]+={0,2}")
RUN_ID = re.compile(r"run_[A-Za-z0-9]{24}")
RUN_STATUS = {"run_id", "thread_id", "status", "required_action", "last_error"}


class FrontEnd:
    """A browser with the front end in it. `http` is a client at the root of a gateway."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **query: Any) -> Any:
        return _succeeded(await self.http.get(path, params=query))

    async def post(self, path: str, body: Any = None) -> Any:
        return _succeeded(await self.http.post(path, json=body))

    async def refused(self, method: str, path: str, status: int, member: str = "detail", **request: Any) -> str:
        """The sentence of a request that has to be refused with `status`, and nothing else."""
        response = await self.http.request(method, path, **request)
        assert response.status_code == status, response.text
        body = response.json()
        assert list(body) == [member]
        return str(body[member])

    async def new(self, assistant: str, **fields: Any) -> Any:
        return run_status(await self.post("/api/new", {"assistant_id": assistant, **fields}))

    async def ask(self, thread: str, content: str, assistant: str | None = None) -> Any:
        body = {"content": content} if assistant is None else {"content": content, "assistant_id": assistant}
        return run_status(await self.post(f"/api/threads/{thread}", body))

    async def status(self, thread: str, run_id: str) -> Any:
        return run_status(await self.get(f"/api/runs/{thread}/{run_id}"))

    async def messages(self, thread: str) -> list[Any]:
        found = await self.get(f"/api/threads/{thread}")
        assert list(found) == ["messages"]
        for each in found["messages"]:
            assert set(each) == {"content", "role", "hidden", "id", "created_at"}
            assert isinstance(each["content"], str)
        return list(found["messages"])


def run_status(shown: Any) -> Any:
    """A RunStatus in which no id is shown that is encrypted on this wire."""
    assert set(shown) == RUN_STATUS
    assert TOKEN.fullmatch(shown["thread_id"])
    assert RUN_ID.fullmatch(shown["run_id"])
    return shown


def _succeeded(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    assert "thread_" not in re.sub(r'"thread_id"', "", response.text)
    assert "asst_" not in response.text
    return response.json()
