"""Run steps: list, retrieve. `include[]` is accepted and adds nothing: it asks for results of file search."""

from gateway.application.runs import Runs
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.operations.runs import run_id_of
from gateway.entrypoints.http.openai.operations.threads import thread_id_of
from gateway.entrypoints.http.openai.presenters import lists, steps
from gateway.entrypoints.http.openai.requests.including import check_include
from gateway.entrypoints.http.openai.requests.paging import page_request
from gateway.entrypoints.http.openai.requests.path_ids import known_form


class StepOperations:
    """Handlers for `/v1/threads/{thread_id}/runs/{run_id}/steps…`."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def list(self, call: Call) -> Reply:
        """GET …/steps."""
        check_include(call.query)
        request = page_request(call.query, "run step")
        found = await self._runs.list_steps(call.tenant_id, thread_id_of(call), run_id_of(call), request)
        return ok(lists.page(found, steps.step))

    async def retrieve(self, call: Call) -> Reply:
        """GET …/steps/{step_id}."""
        check_include(call.query)
        thread_id, run_id = thread_id_of(call), run_id_of(call)
        step_id = known_form("run step", call.values["step_id"])
        return ok(steps.step(await self._runs.get_step(call.tenant_id, thread_id, run_id, step_id)))
