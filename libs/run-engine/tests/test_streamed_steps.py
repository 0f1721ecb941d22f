"""Steps that begin in the open: what their commits leave, and that nothing of a reply is kept before it is whole."""

from typing import Any

import pytest
from engine_world import World, answer, call, new_id, text
from run_engine.domain.drafts import PageRequest
from run_engine.domain.objects import Message, Run, Usage
from run_engine.domain.status import MessageStatus, RunStatus, StepStatus
from run_engine.errors import Fenced
from run_engine.lease import LEASE
from run_engine.store.driving import Said
from run_engine.store.streams import Streams


async def test_an_answer_whose_step_was_opened_leaves_the_same_as_one_that_was_not(world: World) -> None:
    worker = await world.live_worker()
    given = answer("the answer")
    run = await world.claimed(worker)
    opened = await worker.driving.open_step(run, given.step_id, given.message_id)
    message = await world.gateway.messages.get(world.tenant, run.thread_id, given.message_id)
    assert (message.status, message.content, message.run_id) == (MessageStatus.IN_PROGRESS, [], run.id)
    assert (opened.seq, opened.subject) == (3, given.step_id)
    assert opened.data["step"]["step_details"]["message_creation"] == {"message_id": given.message_id}
    await worker.driving.finish(run, given)

    plain = await world.claimed(worker)
    await worker.driving.finish(plain, answer("the answer"))
    assert await world.events(run) == await world.events(plain)
    assert _shape(await _message(world, run)) == _shape(await _message(world, plain))
    steps, plain_steps = [await worker.driving.steps(one) for one in (run, plain)]
    assert [(step.status, step.usage, step.type) for step in steps] == [
        (step.status, step.usage, step.type) for step in plain_steps
    ]
    ended, plainly_ended = await world.read(run), await world.read(plain)
    assert (ended.status, ended.usage) == (plainly_ended.status, plainly_ended.usage)
    assert await world.active_run(run) is None


async def test_calls_whose_step_was_opened_are_told_when_they_are_complete(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    step_id, asked = new_id("step"), call()
    opened = await worker.driving.open_step(run, step_id, None)
    assert opened.data["step"]["step_details"] == {"type": "tool_calls", "tool_calls": []}
    await worker.driving.park(run, step_id, [asked], Usage(prompt_tokens=7, completion_tokens=3))
    assert await world.events(run) == [
        "run.queued",
        "run.in_progress",
        "run-step.created",
        "run-step.in_progress",
        "run.requires_action",
    ]
    told = (await Streams(world.database).events(world.tenant, run.id, after=3))[0]
    assert [one["id"] for one in told.data["step"]["step_details"]["tool_calls"]] == [asked.id]
    parked = await world.gateway.runs.submit_outputs(world.tenant, run.thread_id, run.id, [(asked.id, "x")])
    assert parked.status is RunStatus.QUEUED
    (step,) = await worker.driving.steps(parked)
    assert (step.status, step.usage) == (StepStatus.COMPLETED, Usage(prompt_tokens=7, completion_tokens=3))
    await world.outbox(run.thread_id)


@pytest.mark.parametrize("in_the_open", [False, True])
async def test_what_a_model_says_before_it_calls_is_a_message_of_the_run(world: World, in_the_open: bool) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    said = Said(step_id=new_id("step"), message_id=new_id("message"), content=text("Let me look."))
    usage = Usage(prompt_tokens=7, completion_tokens=3)
    if in_the_open:
        await worker.driving.open_step(run, said.step_id, said.message_id)
        await worker.driving.say(run, said)
        await worker.driving.park(run, new_id("step"), [call()], usage)
    else:
        await worker.driving.park(run, new_id("step"), [call()], usage, said)
    message = await _message(world, run)
    assert (message.status, message.content) == (MessageStatus.COMPLETED, text("Let me look."))
    assert [(step.type, step.status, step.usage) for step in await worker.driving.steps(run)] == [
        ("message_creation", StepStatus.COMPLETED, Usage()),
        ("tool_calls", StepStatus.IN_PROGRESS, None),
    ]
    assert await world.events(run) == [
        "run.queued",
        "run.in_progress",
        "run-step.created",
        "message.completed",
        "run-step.completed",
        "run-step.created",
        "run.requires_action",
    ]
    await world.outbox(run.thread_id)


@pytest.mark.parametrize("in_the_open", [False, True])
async def test_what_a_cancelled_run_has_written_is_a_message(world: World, in_the_open: bool) -> None:
    """The same whether it was told while it was written, or nobody listened."""
    worker = await world.live_worker()
    run = await world.claimed(worker)
    said = Said(step_id=new_id("step"), message_id=new_id("message"), content=text("Half an"))
    if in_the_open:
        await worker.driving.open_step(run, said.step_id, said.message_id)
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    await worker.driving.obey_cancel(run, said.content, None if in_the_open else said)
    message = await _message(world, run)
    assert (message.id, message.status, message.content) == (
        said.message_id,
        MessageStatus.INCOMPLETE,
        text("Half an"),
    )
    assert message.incomplete_details == {"reason": "run_cancelled"}
    (step,) = await worker.driving.steps(run)
    assert (step.id, step.status, step.message_id) == (said.step_id, StepStatus.CANCELLED, said.message_id)
    begun, cancelling = "run-step.created", "run.cancelling"
    assert await world.events(run) == [
        "run.queued",
        "run.in_progress",
        *([begun, cancelling] if in_the_open else [cancelling, begun]),
        "message.incomplete",
        "run-step.cancelled",
        "run.cancelled",
    ]
    await world.outbox(run.thread_id)


async def test_a_step_that_was_begun_in_the_open_is_not_begun_again_by_its_cancellation(world: World) -> None:
    """The reply to its first commit was lost, so its worker does not know that it is open."""
    worker = await world.live_worker()
    run = await world.claimed(worker)
    said = Said(step_id=new_id("step"), message_id=new_id("message"), content=text("Half an"))
    await worker.driving.open_step(run, said.step_id, said.message_id)
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    await worker.driving.obey_cancel(run, None, said)
    assert (await _message(world, run)).content == text("Half an")
    assert (await world.events(run)).count("run-step.created") == 1


@pytest.mark.parametrize("writes", [True, False])
async def test_a_run_that_is_handed_back_leaves_nothing_open(world: World, writes: bool) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.open_step(run, new_id("step"), new_id("message") if writes else None)
    await worker.driving.hand_back(world.tenant, run.id, run.attempt)
    assert await world.events(run) == [
        "run.queued",
        "run.in_progress",
        "run-step.created",
        "run-step.failed",
        "run.queued",
    ]
    assert [message.role for message in await _messages(world, run)] == ["user"]
    (step,) = await worker.driving.steps(run)
    assert step.status is StepStatus.FAILED
    await worker.driving.finish(await world.claimed(worker, run), answer())
    assert (await world.read(run)).status is RunStatus.COMPLETED
    await world.outbox(run.thread_id)


async def test_a_run_of_a_dead_worker_leaves_nothing_open(lonely_world: World) -> None:
    world = lonely_world
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.open_step(run, new_id("step"), new_id("message"))
    await worker.liveness.retire()
    assert await (await world.live_worker()).sweeps.requeue_lost_runs(LEASE) == 1
    assert (await world.events(run))[-2:] == ["run-step.failed", "run.queued"]
    assert [message.role for message in await _messages(world, run)] == ["user"]


async def test_an_abandoned_step_makes_room_for_another(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.abandon_step(run, "nothing is open yet")
    await worker.driving.open_step(run, new_id("step"), new_id("message"))
    await worker.driving.abandon_step(run, "The model failed.")
    given = answer()
    await worker.driving.open_step(run, given.step_id, given.message_id)
    await worker.driving.finish(run, given)
    failed, done = await worker.driving.steps(run)
    assert failed.last_error == {"code": "server_error", "message": "The model failed."}
    assert done.status is StepStatus.COMPLETED
    assert len(await _messages(world, run)) == 2


async def test_what_was_said_until_the_end_is_kept(world: World) -> None:
    worker = await world.live_worker()
    for end in ("cancel", "fail"):
        run = await world.claimed(worker)
        await worker.driving.open_step(run, new_id("step"), new_id("message"))
        if end == "cancel":
            await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
            await worker.driving.obey_cancel(run, text("half a"))
        else:
            await worker.driving.fail(run, "server_error", "It failed.", text("half a"))
        message = await _message(world, run)
        assert (message.status, message.content) == (MessageStatus.INCOMPLETE, text("half a"))


async def test_a_run_that_is_cut_short_without_a_message(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.cut_short(run, "max_prompt_tokens", Usage(prompt_tokens=7, completion_tokens=3))
    assert await world.events(run) == ["run.queued", "run.in_progress", "run.incomplete"]
    ended = await world.read(run)
    assert (ended.status, ended.incomplete_details) == (RunStatus.INCOMPLETE, {"reason": "max_prompt_tokens"})
    assert ended.usage == Usage(prompt_tokens=7, completion_tokens=3)
    assert await world.active_run(run) is None
    assert [message.role for message in await _messages(world, run)] == ["user"]
    await world.outbox(run.thread_id)


async def test_a_run_that_is_handed_back_instead_of_cancelled_keeps_what_was_said(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.open_step(run, new_id("step"), new_id("message"))
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    await worker.driving.hand_back(world.tenant, run.id, run.attempt, text("half a"))
    assert (await _message(world, run)).content == text("half a")


async def test_a_fenced_worker_opens_nothing(world: World) -> None:
    worker, other = await world.live_worker(), await world.live_worker()
    run = await world.claimed(worker)
    await worker.driving.hand_back(world.tenant, run.id, run.attempt)
    await world.claimed(other, run)
    before = await world.events(run)
    with pytest.raises(Fenced):
        await worker.driving.open_step(run, new_id("step"), new_id("message"))
    with pytest.raises(Fenced):
        await worker.driving.say(run, Said(step_id=new_id("step"), message_id=new_id("message"), content=text("x")))
    with pytest.raises(Fenced):
        await worker.driving.abandon_step(run, "x")
    assert await world.events(run) == before


async def test_a_run_that_is_to_be_cancelled_opens_nothing(world: World) -> None:
    worker = await world.live_worker()
    run = await world.claimed(worker)
    await world.gateway.runs.cancel(world.tenant, run.thread_id, run.id)
    with pytest.raises(Fenced):
        await worker.driving.open_step(run, new_id("step"), new_id("message"))


async def _message(world: World, run: Run) -> Message:
    return (await _messages(world, run))[0]


async def _messages(world: World, run: Run) -> list[Message]:
    page = await world.gateway.messages.list(world.tenant, run.thread_id, PageRequest(order="desc"))
    return list(page.items)


def _shape(message: Message) -> dict[str, Any]:
    return {
        "status": message.status,
        "content": message.content,
        "role": message.role,
        "attachments": message.attachments,
        "completed": message.completed_at is not None,
        "incomplete": message.incomplete_at,
        "details": message.incomplete_details,
    }
