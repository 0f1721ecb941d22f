"""Ids may repeat between tenants, as imports do; nothing that one tenant does may be seen by the other."""

from collections.abc import Awaitable, Callable

import pytest
from engine_world import Worker, World, answer, call, new_id, text
from run_engine.domain.drafts import NewAssistant, NewMessage, NewRun, NewThread, NewToolCall, PageRequest
from run_engine.domain.objects import Run, Usage
from run_engine.domain.status import RunStatus
from run_engine.store.statements import load_statements

ACROSS_TENANTS = {
    # The sweeper, the relay, the lease and the streams work for everybody; an event, a run and a call carry their
    # tenant along.
    *("adopt_outbox", "lost_runs", "expired_runs", "idle_runs", "overdue_calls", "repeat_calls"),
    *("prune_run_events", "prune_idempotency_keys", "prune_workers", "queued_runs"),
    *("register_worker", "renew_worker", "retire_worker"),
    *("take_stream_slot", "keep_stream_slot", "release_stream_slot", "run_events_after", "add_stream_slots"),
    "run_states",
    *("unpublished", "owned", "delete_published", "reject"),
    # The bytes of files are deleted for everybody, by keys that are never used twice.
    *("expire_files", "free_loose_files", "forget_loose_file"),
    # A key tells whose it is.
    *("find_key", "delete_key", "get_tenant", "ensure_tenant"),
    *("is_migrated", "schema_state", "ping"),
    # What an operator sees of the whole installation.
    "figures",
    # One secret of the installation, which places of the event feed are sealed with.
    "feed_key",
}


def test_every_statement_names_the_tenant_or_is_one_of_those_that_serve_all() -> None:
    statements = load_statements()
    without = {name for name, statement in statements.items() if "tenant_id" not in statement.parameters}
    assert without == ACROSS_TENANTS


class Twins:
    """Two tenants whose assistant, thread, messages, run, step and calls have the same ids."""

    def __init__(self, one: World, other: World, worker: Worker) -> None:
        self.tenants = (one.tenant, other.tenant)
        self.world = one
        self.worker = worker
        self.thread_id, self.run_id = new_id("thread"), new_id("run")
        self.message_id, self.step_id = new_id("message"), new_id("step")
        self.calls = [call("moodle"), NewToolCall(id=new_id("tool_call"), name="f", arguments="{}")]

    async def start(self) -> list[Run]:
        runs = []
        for tenant in self.tenants:
            await self.worker.assistants.ensure(tenant, NewAssistant(id="asst_same", model=tenant))
            said = NewMessage(id=self.message_id, role="user", content=text(tenant))
            thread = NewThread(id=self.thread_id, messages=[said])
            draft = NewRun(id=self.run_id, assistant_id="asst_same")
            runs.append(await self.worker.runs.start_on_new_thread(tenant, thread, draft))
        return runs

    async def parked(self) -> None:
        for tenant in self.tenants:
            run = await self.worker.driving.claim(tenant, self.run_id)
            assert run is not None
            assert run.tenant_id == tenant
            await self.worker.driving.park(run, self.step_id, self.calls, Usage())

    async def seen(self, tenant: str) -> object:
        """All that a tenant can see."""
        worker = self.worker
        page = PageRequest(limit=100)
        return (
            await worker.runs.list(tenant, self.thread_id, page),
            await worker.messages.list(tenant, self.thread_id, page),
            await worker.runs.list_steps(tenant, self.thread_id, self.run_id, page),
            await worker.threads.get(tenant, self.thread_id),
            await worker.assistants.list(tenant, page),
            await self.world.sql("SELECT * FROM run_events WHERE tenant_id = $1 ORDER BY seq", tenant),
        )


@pytest.fixture
async def twins(world: World, new_world: Callable[[], Awaitable[World]]) -> Twins:
    return Twins(world, await new_world(), await world.live_worker())


async def test_what_happens_to_one_run_does_not_happen_to_its_twin(twins: Twins) -> None:
    await twins.start()
    await twins.parked()
    one, other = twins.tenants
    worker, ours = twins.worker, twins.calls[1].id
    before = await twins.seen(other)
    assert await worker.answers.complete(one, twins.run_id, twins.calls[0].id, "out")
    await worker.runs.submit_outputs(one, twins.thread_id, twins.run_id, [(ours, "out")])
    await worker.runs.modify(one, twins.thread_id, twins.run_id, {"a": "b"})
    claimed = await worker.driving.claim(one, twins.run_id)
    assert claimed is not None
    step = (await worker.driving.steps(claimed))[0]
    assert [tool.output for tool in step.tool_calls] == ["out", "out"]
    await worker.driving.finish(claimed, answer())
    assert await twins.seen(other) == before
    await worker.threads.delete(one, twins.thread_id)
    assert await twins.seen(other) == before


async def test_ending_one_run_early_leaves_its_twin_alone(twins: Twins) -> None:
    await twins.start()
    await twins.parked()
    one, other = twins.tenants
    before = await twins.seen(other)
    assert (await twins.worker.runs.cancel(one, twins.thread_id, twins.run_id)).status is RunStatus.CANCELLED
    assert await twins.seen(other) == before
    left = await twins.world.sql(
        "SELECT tenant_id FROM tool_calls WHERE id = $1 AND deadline IS NOT NULL", twins.calls[0].id
    )
    assert [row["tenant_id"] for row in left] == [other]


async def test_events_of_twins_go_out_with_their_own_tenant_and_never_with_the_other(twins: Twins) -> None:
    await twins.start()
    younger = twins.tenants[1]
    mine = await twins.world.sql("SELECT id FROM outbox WHERE tenant_id = $1 ORDER BY id", younger)
    rows = await twins.worker.table.unpublished([row["id"] for row in mine])
    assert {row.tenant_id for row in rows} == {younger}


async def test_a_lease_tells_twins_apart(twins: Twins) -> None:
    await twins.start()
    for tenant in twins.tenants:
        assert await twins.worker.driving.claim(tenant, twins.run_id) is not None
    owned = await twins.worker.liveness.renew()
    assert {(run.tenant_id, run.run_id) for run in owned} == {(tenant, twins.run_id) for tenant in twins.tenants}
    await twins.worker.driving.hand_back(twins.tenants[0], twins.run_id, 1)
    owned = await twins.worker.liveness.renew()
    assert [(run.tenant_id, run.run_id) for run in owned] == [(twins.tenants[1], twins.run_id)]
