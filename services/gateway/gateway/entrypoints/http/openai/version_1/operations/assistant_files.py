"""Files of assistants: attach, list, retrieve, take off."""

from typing import Any

from run_engine.domain.assistant_files import AssistantFile
from run_engine.domain.short_lists import page_of

from gateway.application.ports import AssistantFileStore
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.openai.operations.assistants import assistant_id_of
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.presenters import lists
from gateway.entrypoints.http.openai.presenters.words import seconds
from gateway.entrypoints.http.openai.requests.paging import page_request
from gateway.entrypoints.http.openai.requests.parsing import parse
from gateway.entrypoints.http.openai.requests.path_ids import known_form
from gateway.entrypoints.http.openai.version_1.requests.tools import CreateAssistantFile


class AssistantFileOperations:
    """Handlers for `/v1/assistants/{assistant_id}/files…`."""

    def __init__(self, store: AssistantFileStore) -> None:
        self._store = store

    async def create(self, call: Call) -> Reply:
        """POST /assistants/{assistant_id}/files. A file that is attached already is replied as it is."""
        assistant_id = assistant_id_of(call)
        file_id = known_form("file", (await parse(call, CreateAssistantFile)).file_id)
        return ok(_shown(await self._store.attach(call.tenant_id, assistant_id, file_id)))

    async def list(self, call: Call) -> Reply:
        """GET /assistants/{assistant_id}/files."""
        request = page_request(call.query, "file")
        files = await self._store.list(call.tenant_id, assistant_id_of(call))
        return ok(lists.page(page_of(files, request, kind="file", id_of=lambda each: each.id), _shown))

    async def retrieve(self, call: Call) -> Reply:
        """GET /assistants/{assistant_id}/files/{file_id}."""
        return ok(_shown(await self._store.get(call.tenant_id, assistant_id_of(call), file_id_of(call))))

    async def delete(self, call: Call) -> Reply:
        """DELETE /assistants/{assistant_id}/files/{file_id}. The file itself stays."""
        assistant_id, file_id = assistant_id_of(call), file_id_of(call)
        await self._store.detach(call.tenant_id, assistant_id, file_id)
        return ok(lists.deleted("assistant.file", file_id))


def file_id_of(call: Call) -> str:
    """Return the file that the path names."""
    return known_form("file", call.values["file_id"])


def _shown(found: AssistantFile) -> dict[str, Any]:
    return {
        "id": found.id,
        "object": "assistant.file",
        "created_at": seconds(found.created_at),
        "assistant_id": found.assistant_id,
    }
