"""Actions: the calls that the model made, found, listed and answered. An action cannot be made: the model makes it."""

from collections.abc import Sequence
from contextlib import suppress

from run_engine.domain.drafts import PageRequest
from run_engine.domain.objects import Run, ToolCall
from run_engine.errors import NotFound

from gateway.application.conversation_ports import ToolStore
from gateway.application.runs import Runs
from gateway.entrypoints.http.entities.ids import EntityIds
from gateway.entrypoints.http.entities.operations.replies import NO_CONTENT, ok
from gateway.entrypoints.http.entities.presenters import actions
from gateway.entrypoints.http.entities.presenters.actions import Action, arguments_of
from gateway.entrypoints.http.entities.refusals import Refusal
from gateway.entrypoints.http.entities.requests.actions import CreateAction, UpdateAction, failure
from gateway.entrypoints.http.entities.requests.parsing import parse
from gateway.entrypoints.http.entities.requests.querying import MOST, parameters
from gateway.entrypoints.http.exchange import Call, Reply


class ActionOperations:
    """Handlers for `/actions…` and `/runs/{run_id}/actions/status`."""

    def __init__(self, runs: Runs, tools: ToolStore, ids: EntityIds) -> None:
        self._runs = runs
        self._tools = tools
        self._ids = ids

    async def create(self, call: Call) -> Reply:
        """POST /actions: finds the call that the run waits for."""
        body = await parse(call, CreateAction)
        run = await self._runs.find(call.tenant_id, await self._ids.read(call.tenant_id, "run", body.run_id))
        name = body.tool_name
        if body.tool_id is not None:
            tool_id = await self._ids.read(call.tenant_id, "tool", body.tool_id)
            name = (await self._tools.get(call.tenant_id, tool_id)).function["name"]
        for each in run.required_calls:
            if each.name == name and body.function_args in (None, {}, arguments_of(each)):
                return await self._shown(call, run, each.id)
        raise Refusal(404, "Action not found: the run waits for no such call")

    async def retrieve(self, call: Call) -> Reply:
        """GET /actions/{action_id}."""
        run, found = await self._find(call)
        return await self._shown(call, run, found.id)

    async def update(self, call: Call) -> Reply:
        """PUT /actions/{action_id}: the first answer counts."""
        body = await parse(call, UpdateAction)
        run, found = await self._find(call)
        output = body.output()
        if output is not None:
            run = await self._answered(call, run, found, output)
        return await self._shown(call, run, found.id)

    async def delete(self, call: Call) -> Reply:
        """DELETE /actions/{action_id}: whoever waits for it is told that nothing comes of it. What was said stays."""
        run, found = await self._find(call)
        if not run.status.ended:
            await self._answered(call, run, found, failure("cancelled"))
        return NO_CONTENT

    async def list_by_status(self, call: Call) -> Reply:
        """GET /runs/{run_id}/actions/status, those with one `status`, pending where none is given: a bare array."""
        wanted = parameters(call.query).get("status", "pending")
        run_id = await self._ids.read(call.tenant_id, "run", call.values["run_id"])
        run = await self._runs.find(call.tenant_id, run_id)
        found = [each for each in await self._actions(call.tenant_id, run) if each.status == wanted]
        ids = await self._ids.shown(call.tenant_id, [named for each in found for named in actions.ids_of_action(each)])
        return ok([actions.action(each, ids) for each in found])

    async def _find(self, call: Call) -> tuple[Run, ToolCall]:
        call_id = await self._ids.read(call.tenant_id, "tool_call", call.values["action_id"])
        return await self._runs.find_call(call.tenant_id, call_id)

    async def _answered(self, call: Call, run: Run, found: ToolCall, output: str) -> Run:
        if found.service is not None and found.output is None:
            raise Refusal(409, f"The service '{found.service}' answers this action")
        return await self._runs.answer(call.tenant_id, run.thread_id, run.id, [(found.id, output)])

    async def _actions(self, tenant_id: str, run: Run) -> Sequence[Action]:
        steps = await self._runs.list_steps(tenant_id, run.thread_id, run.id, PageRequest(limit=MOST, order="asc"))
        kept = {}
        with suppress(NotFound):
            found = await self._tools.of_assistant(tenant_id, run.assistant_id)
            kept = {each.function["name"]: each.id for each in found}
        return [
            Action(
                call=each,
                run=run,
                called_at=step.created_at,
                answered_at=None if each.output is None else step.completed_at,
                tool_id=kept.get(each.name),
            )
            for step in steps.items
            for each in step.tool_calls
        ]

    async def _shown(self, call: Call, run: Run, call_id: str) -> Reply:
        found = next((each for each in await self._actions(call.tenant_id, run) if each.call.id == call_id), None)
        if found is None:
            raise NotFound("tool call", call_id)
        return ok(actions.action(found, await self._ids.shown(call.tenant_id, actions.ids_of_action(found))))
