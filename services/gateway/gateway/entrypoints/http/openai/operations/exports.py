"""Export: everything of a tenant as lines that import takes back."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

import orjson
from run_engine.domain.files import File
from run_engine.domain.imports import ImportedObject
from run_engine.domain.objects import Assistant, Message, Run, RunStep, Thread, Tool, User

from gateway.application.ports import ExportStore
from gateway.entrypoints.http.bytes_reply import BytesReply
from gateway.entrypoints.http.exchange import Call
from gateway.entrypoints.http.openai.presenters import assistants, exported, files, runs, steps
from gateway.entrypoints.http.openai.requests.paging import parameters
from gateway.entrypoints.http.openai.requests.path_ids import known_form

Page = Sequence[ImportedObject]

_PRESENTERS: Final[Mapping[type[ImportedObject], Callable[[Any], dict[str, Any]]]] = {
    Assistant: assistants.assistant,
    File: files.file,
    User: exported.user,
    Tool: exported.tool,
    Thread: exported.thread,
    Message: exported.message,
    Run: runs.run,
    RunStep: steps.step,
}
_HEADERS: Final = (
    (b"content-type", b"application/x-ndjson"),
    (b"content-disposition", b'attachment; filename="threadworks-export.ndjson"'),
)


class ExportOperations:
    """The handler for `/v1/export`."""

    def __init__(self, store: ExportStore) -> None:
        self._store = store

    async def retrieve(self, call: Call) -> BytesReply:
        """GET /export, of one thread alone with `thread_id`."""
        thread_id = parameters(call.query).get("thread_id") if call.query else None
        if thread_id is not None:
            thread_id = known_form("thread", thread_id)
        pages = self._store.pages(call.tenant_id, thread_id)
        # What can be refused is refused by the first page, while there can be an answer.
        try:
            first = await anext(pages)
        except StopAsyncIteration:
            first = ()
        return BytesReply(200, _lines(first, pages), None, _HEADERS)


async def _lines(first: Page, pages: AsyncGenerator[Page, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(pages):
        yield _written(first)
        async for page in pages:
            yield _written(page)


def _written(page: Page) -> bytes:
    return b"".join(orjson.dumps(_PRESENTERS[type(each)](each)) + b"\n" for each in page)
