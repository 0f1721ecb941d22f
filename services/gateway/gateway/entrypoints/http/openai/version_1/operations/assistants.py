"""Assistants of version 1: create and modify, with their files."""

from gateway.application.attached_files import AttachedFiles
from gateway.application.identities import NewIds
from gateway.application.ports import AssistantStore
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.openai.operations.assistants import AssistantOperations, assistant_id_of
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.presenters import assistants
from gateway.entrypoints.http.openai.requests import assistants as version_2
from gateway.entrypoints.http.openai.version_1.requests.assistants import CreateAssistant, ModifyAssistant
from gateway.entrypoints.http.openai.version_1.translation import read, with_body


class AssistantOperations1(AssistantOperations):
    """Handlers for `/v1/assistants…`. Unlike version 2, version 1 refused files that are not there."""

    def __init__(self, store: AssistantStore, attached_files: AttachedFiles, new_ids: NewIds) -> None:
        super().__init__(store, new_ids)
        self._attached_files = attached_files

    async def create(self, call: Call) -> Reply:
        """POST /assistants."""
        body, translated = await read(call, CreateAssistant)
        await self._attached_files.require_ids(call.tenant_id, body.file_ids or ())
        return await super().create(with_body(call, translated))

    async def modify(self, call: Call) -> Reply:
        """POST /assistants/{assistant_id}. `file_ids` replace the files; what other tools have is not touched."""
        assistant_id = assistant_id_of(call)
        body, translated = await read(call, ModifyAssistant)
        await self._attached_files.require_ids(call.tenant_id, body.file_ids or ())
        changes = version_2.ModifyAssistant.model_validate(translated).changes()
        if body.file_ids is not None:
            changes["file_ids"] = body.file_ids
        return ok(assistants.assistant(await self._store.modify(call.tenant_id, assistant_id, changes)))
