"""The life of runs in PostgreSQL, one statement after the other."""

import orjson
import pytest
from engine_world import World, answer, call, new_id, text, user
from run_engine.domain.drafts import NewAssistant, NewMessage, NewRun, PageRequest
from run_engine.domain.objects import Usage
from run_engine.domain.status import MessageStatus, RunStatus, StepStatus
from run_engine.errors import Fenced, IllegalMove, NotFound, OutputsNotAccepted, ThreadBusy, WrongOutputs


async def test_a_run_inherits_what_it_does_not_override(world: World) -> None:
    run = await world.start_run()
    assert (run.model, run.instructions, run.tools) == ("demo", "Be brief.", [{"type": "file_search"}])
    assert run.response_format == "auto"
    assert run.expires_at is not None
    assert (run.expires_at - run.created_at).total_seconds() == 600
    other = await world.start_run(
        model="other", instructions="Be long.", additional_instructions="Rhyme.", tools=[], temperature=0.5
    )
    assert (other.model, other.instructions, other.tools) == ("other", "Be long.\n\nRhyme.", [])
    assert other.temperature == 0.5
    bare = await world.start_run(instructions=None)
    assert bare.instructions is None


async def test_the_last_new_user_message_wakes_the_run(world: World) -> None:
    said = NewMessage(id=new_id("message"), role="assistant", content=text("I said"))
    run = await world.start_run(user("one"), said, user("two"))
    assert await world.outbox(run.thread_id) == ["message.created", "message.created", "run.queued"]
    rows = await world.sql("SELECT data, run_id FROM outbox WHERE thread_id = $1 ORDER BY id", run.thread_id)
    first, second = (orjson.loads(row["data"]) for row in rows[:2])
    assert "run" not in first
    assert second["run"] == {"id": run.id, "thread_id": run.thread_id}
    assert [message.role for message in (await _messages(world, run.thread_id, "asc"))] == ["user", "assistant", "user"]


async def test_a_run_without_a_new_user_message_is_woken_by_a_command(world: World) -> None:
    run = await world.start_run(user())
    worker = await world.live_worker()
    await worker.driving.finish(await world.claimed(worker, run), answer())
    await world.sql("DELETE FROM outbox WHERE thread_id = $1", run.thread_id)
    await world.gateway.runs.start(
        world.tenant, run.thread_id, NewRun(id=new_id("run"), assistant_id=world.assistant_id)
    )
    assert await world.outbox(run.thread_id) == ["run.queued", "run.requested"]


async def test_the_poke_names_every_outbox_row(world: World) -> None:
    run = await world.start_run()
    rows = await world.sql("SELECT id, owner FROM outbox WHERE thread_id = $1 ORDER BY id", run.thread_id)
    assert sorted(world.gateway.outbox_ids) == [row["id"] for row in rows]
    assert {row["owner"] for row in rows} == {world.gateway.name}


async def test_an_answered_run_has_its_message_step_usage_and_events(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    assert (run.status, run.attempt) == (RunStatus.IN_PROGRESS, 1)
    given = answer("the answer")
    await worker.driving.finish(run, given)

    ended = await world.read(run)
    assert ended.status is RunStatus.COMPLETED
    assert ended.usage == Usage(prompt_tokens=10, completion_tokens=4)
    assert ended.completed_at is not None
    assert ended.expires_at is None
    assert await world.active_run(run) is None
    message = (await _messages(world, run.thread_id, "desc"))[0]
    assert (message.id, message.role, message.status) == (given.message_id, "assistant", MessageStatus.COMPLETED)
    assert (message.content, message.run_id) == (text("the answer"), run.id)
    assert message.assistant_id == world.assistant_id
    step = await world.gateway.runs.get_step(world.tenant, run.thread_id, run.id, given.step_id)
    assert (step.type, step.status, step.message_id) == ("message_creation", StepStatus.COMPLETED, given.message_id)
    assert step.usage == given.usage
    assert await world.events(run) == [
        "run.queued",
        "run.in_progress",
        "run-step.created",
        "message.completed",
        "run-step.completed",
        "run.completed",
    ]
    await world.outbox(run.thread_id)


async def test_a_cut_answer_ends_the_run_incomplete(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    given = answer("half an ans")
    await worker.driving.finish(
        run,
        type(given)(
            step_id=given.step_id,
            message_id=given.message_id,
            content=given.content,
            usage=given.usage,
            incomplete_reason="max_completion_tokens",
        ),
    )
    ended = await world.read(run)
    assert (ended.status, ended.incomplete_details) == (RunStatus.INCOMPLETE, {"reason": "max_completion_tokens"})
    assert ended.completed_at is None
    message = await world.gateway.messages.get(world.tenant, run.thread_id, given.message_id)
    assert (message.status, message.incomplete_details) == (MessageStatus.INCOMPLETE, {"reason": "max_tokens"})
    assert message.incomplete_at is not None
    assert (await world.events(run))[-3:] == ["message.incomplete", "run-step.completed", "run.incomplete"]
    await world.outbox(run.thread_id)


async def test_the_thread_is_locked_while_the_run_lives(world: World) -> None:
    run = await world.start_run()
    for attempt in (
        world.gateway.messages.create(world.tenant, run.thread_id, user()),
        world.gateway.runs.start(
            world.tenant, run.thread_id, NewRun(id=new_id("run"), assistant_id=world.assistant_id)
        ),
    ):
        with pytest.raises(ThreadBusy) as busy:
            await attempt
        assert (busy.value.thread_id, busy.value.run_id) == (run.thread_id, run.id)
    worker = await world.live_worker()
    await worker.driving.finish(await world.claimed(worker, run), answer())
    await world.gateway.messages.create(world.tenant, run.thread_id, user())


async def test_services_answer_one_by_one_and_the_last_queues_the_run(world: World) -> None:
    calls = [call("moodle"), call("moodle")]
    run = await world.parked(*calls)
    assert run.status is RunStatus.AWAITING_TOOLS
    assert run.required_calls == ()
    answers = world.gateway.answers
    assert await answers.complete(world.tenant, run.id, calls[1].id, "second")
    assert (await world.read(run)).status is RunStatus.AWAITING_TOOLS
    assert not await answers.complete(world.tenant, run.id, calls[1].id, "again"), "the first answer counts"
    assert await answers.fail(world.tenant, run.id, calls[0].id, "not_enrolled", "No access.")
    assert (await world.read(run)).status is RunStatus.QUEUED
    step = (await world.gateway.driving.steps(run))[0]
    assert step.status is StepStatus.COMPLETED
    assert [tool.output for tool in step.tool_calls] == [
        '{"error":{"code":"not_enrolled","message":"No access."}}',
        "second",
    ]
    assert await world.events(run) == [
        "run.queued",
        "run.in_progress",
        "run-step.created",
        "run.awaiting_tools",
        "run-step.completed",
        "run.queued",
    ]
    published = await world.outbox(run.thread_id)
    assert published.count("tool-call.requested") == 2
    assert published[-1] == "run.requested"


async def test_the_client_answers_all_of_its_calls_at_once(world: World) -> None:
    calls = [call(), call()]
    run = await world.parked(*calls)
    assert run.status is RunStatus.REQUIRES_ACTION
    assert [required.id for required in run.required_calls] == [given.id for given in calls]
    submit = world.gateway.runs.submit_outputs
    with pytest.raises(WrongOutputs) as wrong:
        await submit(world.tenant, run.thread_id, run.id, [(calls[0].id, "one")])
    assert wrong.value.expected == (calls[0].id, calls[1].id)
    assert wrong.value.got == (calls[0].id,)
    with pytest.raises(WrongOutputs):
        await submit(world.tenant, run.thread_id, run.id, [(calls[0].id, "one"), (calls[0].id, "one")])
    assert (await world.read(run)).status is RunStatus.REQUIRES_ACTION, "nothing was stored"
    moved = await submit(world.tenant, run.thread_id, run.id, [(calls[1].id, "two"), (calls[0].id, "one")])
    assert moved.status is RunStatus.QUEUED
    with pytest.raises(OutputsNotAccepted) as refused:
        await submit(world.tenant, run.thread_id, run.id, [(calls[0].id, "one"), (calls[1].id, "two")])
    assert refused.value.status == "queued"


async def test_client_and_service_calls_of_one_step_in_either_order(world: World) -> None:
    for client_first in (True, False):
        ours, theirs = call(), call("moodle")
        run = await world.parked(ours, theirs)
        assert run.status is RunStatus.REQUIRES_ACTION
        assert [required.id for required in run.required_calls] == [ours.id]
        steps = [
            lambda ours=ours, run=run: world.gateway.runs.submit_outputs(
                world.tenant, run.thread_id, run.id, [(ours.id, "o")]
            ),
            lambda theirs=theirs, run=run: world.gateway.answers.complete(world.tenant, run.id, theirs.id, "t"),
        ]
        for step in steps if client_first else reversed(steps):
            await step()
        assert (await world.read(run)).status is RunStatus.QUEUED
        assert ("run.awaiting_tools" in await world.events(run)) is client_first


async def test_a_service_cannot_answer_for_the_client_nor_the_client_for_a_service(world: World) -> None:
    ours, theirs = call(), call("moodle")
    run = await world.parked(ours, theirs)
    assert not await world.gateway.answers.complete(world.tenant, run.id, ours.id, "forged")
    with pytest.raises(WrongOutputs):
        await world.gateway.runs.submit_outputs(
            world.tenant, run.thread_id, run.id, [(ours.id, "o"), (theirs.id, "forged")]
        )


async def test_a_run_that_waits_for_a_service_outlives_its_deadline(world: World) -> None:
    run = await world.parked(call("moodle", timeout=5000))
    assert run.expires_at is not None
    assert (run.expires_at - run.created_at).total_seconds() > 4999


async def test_usage_adds_up_over_the_steps(world: World) -> None:
    asked = call("moodle")
    run = await world.parked(asked)
    await world.gateway.answers.complete(world.tenant, run.id, asked.id, "out")
    worker = await world.live_worker()
    again = await world.claimed(worker, run)
    assert again.attempt == 2
    await worker.driving.finish(again, answer())
    assert (await world.read(run)).usage == Usage(prompt_tokens=17, completion_tokens=7)


@pytest.mark.parametrize("parked_for", ["client", "service", "nobody"])
async def test_a_run_without_a_worker_is_cancelled_at_once(world: World, parked_for: str) -> None:
    if parked_for == "nobody":
        run = await world.start_run()
    else:
        run = await world.parked(call(None if parked_for == "client" else "moodle"))
    cancelled = await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    assert cancelled.status is RunStatus.CANCELLED
    assert cancelled.cancelled_at is not None
    assert cancelled.required_calls == ()
    assert await world.active_run(run) is None
    events = await world.events(run)
    assert events[-1] == "run.cancelled"
    if parked_for != "nobody":
        assert events[-2] == "run-step.cancelled"
    await world.outbox(run.thread_id)
    with pytest.raises(IllegalMove) as refused:
        await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    assert refused.value.status == "cancelled"


async def test_a_driven_run_is_cancelled_by_its_worker(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    marked = await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    assert marked.status is RunStatus.CANCELLING
    assert [owned.status for owned in await worker.liveness.renew()] == [RunStatus.CANCELLING]
    with pytest.raises(ThreadBusy):
        await world.gateway.messages.create(world.tenant, run.thread_id, user())
    await worker.driving.obey_cancel(run)
    assert (await world.read(run)).status is RunStatus.CANCELLED
    assert (await world.events(run))[-2:] == ["run.cancelling", "run.cancelled"]
    assert "run.cancel-requested" in await world.outbox(run.thread_id)


async def test_a_worker_that_was_faster_than_the_cancellation_keeps_its_answer(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    await worker.driving.finish(run, answer())
    assert (await world.read(run)).status is RunStatus.COMPLETED
    with pytest.raises(Fenced):
        await worker.driving.obey_cancel(run)


async def test_a_run_in_cancelling_cannot_park(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    with pytest.raises(Fenced):
        await worker.driving.park(run, new_id("step"), [call()], Usage())
    assert await world.gateway.driving.steps(run) == []


async def test_a_failed_run_says_why(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.fail(run, "rate_limit_exceeded", "The model is busy.")
    failed = await world.read(run)
    assert (failed.status, failed.last_error) == (
        RunStatus.FAILED,
        {"code": "rate_limit_exceeded", "message": "The model is busy."},
    )
    assert failed.failed_at is not None
    assert await world.active_run(run) is None
    await world.outbox(run.thread_id)


async def test_handing_back_queues_the_run_or_cancels_it(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.hand_back(run.tenant_id, run.id, run.attempt)
    queued = await world.read(run)
    assert (queued.status, queued.attempt) == (RunStatus.QUEUED, 1)
    again = await world.claimed(worker, run)
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    await worker.driving.hand_back(again.tenant_id, again.id, again.attempt)
    assert (await world.read(run)).status is RunStatus.CANCELLED


@pytest.mark.parametrize("stale", ["other worker", "older attempt"])
async def test_every_write_of_a_worker_is_fenced(world: World, stale: str) -> None:
    worker, other = await world.live_worker(), await world.live_worker()
    run = await world.claimed(worker)
    if stale == "older attempt":
        await worker.driving.hand_back(run.tenant_id, run.id, run.attempt)
        assert await world.claimed(worker, run) is not None
        zombie = worker
    else:
        zombie = other
    for write in (
        zombie.driving.finish(run, answer()),
        zombie.driving.park(run, new_id("step"), [call()], Usage()),
        zombie.driving.fail(run, "server_error", "x"),
        zombie.driving.obey_cancel(run),
        zombie.driving.hand_back(run.tenant_id, run.id, run.attempt),
    ):
        with pytest.raises(Fenced):
            await write
    assert (await world.read(run)).status is RunStatus.IN_PROGRESS
    assert len(await _messages(world, run.thread_id, "asc")) == 1


async def test_expired_runs_are_not_claimed(world: World) -> None:
    run = await world.start_run()
    await world.sql("UPDATE runs SET expires_at = clock_timestamp() WHERE id = $1", run.id)
    assert await (await world.live_worker()).driving.claim(world.tenant, run.id) is None


async def test_unknown_objects_are_named(world: World) -> None:
    run = await world.start_run()
    runs, thread_id = world.gateway.runs, run.thread_id
    missing = NewRun(id=new_id("run"), assistant_id="asst_missing")
    for attempt, kind, name in (
        (runs.get(world.tenant, thread_id, "run_missing"), "run", "run_missing"),
        (runs.get(world.tenant, "thread_other", run.id), "run", run.id),
        (runs.cancel(world.tenant, "thread_other", run.id), "run", run.id),
        (runs.start(world.tenant, "thread_missing", missing), "thread", "thread_missing"),
        (runs.start(world.tenant, thread_id, missing), "assistant", "asst_missing"),
        (runs.get_step(world.tenant, thread_id, run.id, "step_x"), "run step", "step_x"),
        (runs.list(world.tenant, "thread_missing", PageRequest()), "thread", "thread_missing"),
        (runs.list(world.tenant, thread_id, PageRequest(after="run_missing")), "run", "run_missing"),
        (runs.list_steps(world.tenant, thread_id, "run_missing", PageRequest()), "run", "run_missing"),
    ):
        with pytest.raises(NotFound) as not_found:
            await attempt
        assert (not_found.value.kind, not_found.value.object_id) == (kind, name)


async def test_tenants_do_not_meet_even_on_the_same_ids(world: World, new_world) -> None:  # type: ignore[no-untyped-def]
    other = await new_world()
    run = await world.start_run()
    for attempt in (
        other.gateway.runs.get(other.tenant, run.thread_id, run.id),
        other.gateway.threads.get(other.tenant, run.thread_id),
        other.gateway.assistants.get(other.tenant, world.assistant_id),
        other.gateway.threads.delete(other.tenant, run.thread_id),
        other.gateway.messages.create(other.tenant, run.thread_id, user()),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await (await other.live_worker()).driving.claim(other.tenant, run.id) is None
    await other.gateway.assistants.create(other.tenant, NewAssistant(id=world.assistant_id, model="theirs"))
    assert (await world.gateway.assistants.get(world.tenant, world.assistant_id)).model == "demo"


async def _messages(world: World, thread_id: str, order: str):  # type: ignore[no-untyped-def]
    return (await world.gateway.messages.list(world.tenant, thread_id, PageRequest(limit=100, order=order))).items  # type: ignore[arg-type]
