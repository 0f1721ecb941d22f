"""Runs: create (also with a new thread), retrieve, list, modify, cancel, submit tool outputs."""

from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus

from gateway.application.attached_files import AttachedFiles
from gateway.application.identities import NewIds
from gateway.application.runs import Runs
from gateway.entrypoints.http.exchange import Call, Reply, StreamReply
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.operations.run_streams import RunStreams
from gateway.entrypoints.http.openai.operations.threads import thread_id_of
from gateway.entrypoints.http.openai.presenters import lists, runs
from gateway.entrypoints.http.openai.requests.including import check_include
from gateway.entrypoints.http.openai.requests.paging import page_request
from gateway.entrypoints.http.openai.requests.parsing import parse
from gateway.entrypoints.http.openai.requests.path_ids import known_form
from gateway.entrypoints.http.openai.requests.runs import CreateRun, CreateThreadAndRun, ModifyRun, SubmitToolOutputs


class RunOperations:
    """Handlers for `/v1/threads/runs` and `/v1/threads/{thread_id}/runs…`."""

    def __init__(
        self,
        runs: Runs,
        streams: RunStreams,
        attached_files: AttachedFiles,
        new_ids: NewIds,
        *,
        poll_after_ms: int,
    ) -> None:
        self._runs = runs
        self._streams = streams
        self._attached_files = attached_files
        self._new_ids = new_ids
        self._poll_after = (b"openai-poll-after-ms", b"%d" % poll_after_ms)

    async def create(self, call: Call) -> Reply | StreamReply:
        """POST /threads/{thread_id}/runs."""
        check_include(call.query)
        thread_id = thread_id_of(call)
        body = await parse(call, CreateRun)
        known_form("assistant", body.assistant_id)
        draft, messages = body.draft(self._new_ids), body.message_drafts(self._new_ids)
        await self._attached_files.require(call.tenant_id, messages)
        if body.stream:
            return await self._streams.start(call.tenant_id, thread_id, draft, messages)
        return ok(runs.run(await self._runs.start(call.tenant_id, thread_id, draft, messages)))

    async def create_with_thread(self, call: Call) -> Reply | StreamReply:
        """POST /threads/runs."""
        body = await parse(call, CreateThreadAndRun)
        known_form("assistant", body.assistant_id)
        thread, draft = body.thread_draft(self._new_ids), body.draft(self._new_ids)
        await self._attached_files.require(call.tenant_id, thread.messages)
        if body.stream:
            return await self._streams.start_on_new_thread(call.tenant_id, thread, draft)
        return ok(runs.run(await self._runs.start_on_new_thread(call.tenant_id, thread, draft)))

    async def list(self, call: Call) -> Reply:
        """GET /threads/{thread_id}/runs."""
        found = await self._runs.list(call.tenant_id, thread_id_of(call), page_request(call.query, "run"))
        return ok(lists.page(found, runs.run))

    async def retrieve(self, call: Call) -> Reply:
        """GET /threads/{thread_id}/runs/{run_id}. While the run is active, says when to ask again."""
        found = await self._runs.get(call.tenant_id, thread_id_of(call), run_id_of(call))
        return ok(runs.run(found), *([self._poll_after] if _is_worth_polling(found) else []))

    async def modify(self, call: Call) -> Reply:
        """POST /threads/{thread_id}/runs/{run_id}."""
        thread_id, run_id = thread_id_of(call), run_id_of(call)
        body = await parse(call, ModifyRun)
        if "metadata" not in body.model_fields_set:
            return ok(runs.run(await self._runs.get(call.tenant_id, thread_id, run_id)))
        return ok(runs.run(await self._runs.modify(call.tenant_id, thread_id, run_id, body.metadata)))

    async def cancel(self, call: Call) -> Reply:
        """POST /threads/{thread_id}/runs/{run_id}/cancel. A body is not looked at: there is nothing to say."""
        return ok(runs.run(await self._runs.cancel(call.tenant_id, thread_id_of(call), run_id_of(call))))

    async def submit_tool_outputs(self, call: Call) -> Reply | StreamReply:
        """POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs."""
        thread_id, run_id = thread_id_of(call), run_id_of(call)
        body = await parse(call, SubmitToolOutputs)
        if body.stream:
            return await self._streams.submit_outputs(call.tenant_id, thread_id, run_id, body.outputs())
        return ok(runs.run(await self._runs.submit_outputs(call.tenant_id, thread_id, run_id, body.outputs())))


def run_id_of(call: Call) -> str:
    """Return the run that the path names."""
    return known_form("run", call.values["run_id"])


def _is_worth_polling(found: Run) -> bool:
    return not found.status.ended and found.status is not RunStatus.REQUIRES_ACTION
