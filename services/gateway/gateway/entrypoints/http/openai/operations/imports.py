"""Import: objects with ids of their own, all of a request or none."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

from run_engine.domain.import_errors import BelongsElsewhere, CallsScattered, ComesTwice, MadeHere
from run_engine.domain.imports import ImportedObject, ImportRefusal, ImportRefused
from run_engine.errors import NotFound, ThreadBusy

from gateway.application.ports import ImportStore
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.presenters import imports
from gateway.entrypoints.http.openai.presenters.imports import RefusedObject
from gateway.entrypoints.http.openai.refusals import Refusal, clip, message_on_busy_thread, refusal_of
from gateway.entrypoints.http.openai.requests.imports import may_have_nul, object_of, objects_in

_Ignored: TypeAlias = dict[str, set[str]]


class ImportOperations:
    """The handler for `/v1/import`."""

    def __init__(self, store: ImportStore) -> None:
        self._store = store

    async def create(self, call: Call) -> Reply:
        """POST /import."""
        body = await call.body()
        # Ten thousand objects take a second; in a thread, nobody else waits for it.
        given, objects, ignored = await asyncio.to_thread(_checked, body, call.tenant_id)
        try:
            counts = await self._store.store(call.tenant_id, objects)
        except ImportRefused as error:
            found = _refused(error.refused, given)
            raise imports.ImportRefusal(found, len(given), ignored) from None
        return ok(imports.report(counts, (), ignored))


def _checked(body: bytes, tenant_id: str) -> tuple[Sequence[Any], list[tuple[int, ImportedObject]], _Ignored]:
    """Return what a body holds, the objects in it with their places, and the fields that are not kept by kind.

    Raises `Refusal`.
    """
    given = objects_in(body)
    nul = may_have_nul(body)
    objects: list[tuple[int, ImportedObject]] = []
    refused: list[RefusedObject] = []
    ignored: _Ignored = defaultdict(set)
    for index, value in enumerate(given):
        try:
            imported, unknown = object_of(value, tenant_id, may_have_nul=nul)
        except Refusal as refusal:
            refused.append(RefusedObject(index, value, refusal))
        else:
            objects.append((index, imported))
            if unknown:
                ignored[value["object"]] |= unknown
    if refused:
        raise imports.ImportRefusal(refused, len(given), ignored)
    return given, objects, ignored


def _refused(found: Sequence[ImportRefusal], given: Sequence[Any]) -> list[RefusedObject]:
    return [RefusedObject(each.index, given[each.index], _worded(each, given[each.index])) for each in found]


def _worded(found: ImportRefusal, given: Any) -> Refusal:
    reason = found.reason
    match reason:
        case NotFound():
            code, message = "not_found", refusal_of(reason, "", "").message
        case ThreadBusy():
            code = "thread_locked"
            busy = message_on_busy_thread(reason) if given["object"] == "thread.message" else refusal_of(reason, "", "")
            message = busy.message
        case MadeHere(kind=kind, object_id=object_id):
            code, message = "made_here", f"The {kind} '{object_id}' was made by this server and is not overwritten."
        case BelongsElsewhere(kind=kind, object_id=object_id, owner_kind=owner_kind, owner_id=owner_id):
            code = "belongs_elsewhere"
            message = f"The {kind} '{object_id}' belongs to the {owner_kind} '{clip(owner_id)}' already."
        case ComesTwice(kind=kind, object_id=object_id):
            code = "duplicate"
            message = f"The {kind} '{object_id}' comes twice in this request, and is not the same both times."
        case CallsScattered(run_id=run_id):
            code = "calls_scattered"
            message = f"The tool calls that the run '{run_id}' waits for are in more than one of its steps."
        case _:
            raise reason
    return Refusal(400, message, param=found.field, code=code)
