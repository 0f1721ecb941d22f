"""Answers to calls of clients and services alike, the first of which counts; runs and calls found by their ids."""

import asyncio

import pytest
from engine_world import World, call
from run_engine.domain.objects import Run
from run_engine.domain.status import RunStatus
from run_engine.errors import NotFound, OutputsNotAccepted, WrongOutputs


async def outputs(world: World, run: Run) -> list[str | None]:
    return [each.output for each in await world.gateway.runs.tool_calls(world.tenant, run.id)]


async def test_calls_of_both_kinds_are_answered_one_by_one(world: World) -> None:
    runs = world.gateway.runs
    calls = [call("moodle"), call(), call("moodle")]
    run = await world.parked(*calls)
    opened = await runs.open_calls(world.tenant, run.thread_id, run.id)
    assert [(each.id, each.service) for each in opened] == [(each.id, each.service) for each in calls]
    run = await runs.answer(world.tenant, run.thread_id, run.id, [(calls[1].id, "two")])
    assert run.status is RunStatus.AWAITING_TOOLS
    assert await outputs(world, run) == [None, "two", None]
    run = await runs.answer(world.tenant, run.thread_id, run.id, [(calls[0].id, "one"), (calls[2].id, "three")])
    assert run.status is RunStatus.QUEUED
    assert await outputs(world, run) == ["one", "two", "three"]
    assert await runs.open_calls(world.tenant, run.thread_id, run.id) == ()
    assert await world.events(run) == [
        "run.queued",
        "run.in_progress",
        "run-step.created",
        "run.requires_action",
        "run.awaiting_tools",
        "run-step.completed",
        "run.queued",
    ]
    await world.outbox(run.thread_id)


async def test_the_first_answer_counts_and_the_others_change_nothing(world: World) -> None:
    runs, theirs, ours = world.gateway.runs, call("moodle"), call()
    run = await world.parked(theirs, ours)
    await runs.answer(world.tenant, run.thread_id, run.id, [(theirs.id, "first"), (theirs.id, "second")])
    assert not await world.gateway.answers.complete(world.tenant, run.id, theirs.id, "late")
    again = await runs.answer(world.tenant, run.thread_id, run.id, [(theirs.id, "later")])
    assert again.status is RunStatus.REQUIRES_ACTION
    queued = await runs.answer(world.tenant, run.thread_id, run.id, [(theirs.id, "later"), (ours.id, "ours")])
    assert queued.status is RunStatus.QUEUED
    before = await world.events(run)
    assert await runs.answer(world.tenant, run.thread_id, run.id, [(ours.id, "again")]) == queued
    assert await outputs(world, run) == ["first", "ours"]
    assert await world.events(run) == before


async def test_one_of_many_answers_at_once_counts(world: World) -> None:
    runs, asked = world.gateway.runs, call("moodle")
    run = await world.parked(asked)
    done = await asyncio.gather(
        *(runs.answer(world.tenant, run.thread_id, run.id, [(asked.id, f"output {i}")]) for i in range(6)),
        world.gateway.answers.complete(world.tenant, run.id, asked.id, "output of the service"),
    )
    assert {each.status for each in done[:6] if isinstance(each, Run)} == {RunStatus.QUEUED}
    assert (await world.events(run)).count("run-step.completed") == 1
    stored = await outputs(world, run)
    assert stored[0] is not None
    assert stored[0].startswith("output ")


async def test_a_call_that_the_run_never_had_is_refused_and_nothing_is_stored(world: World) -> None:
    runs, ours, theirs = world.gateway.runs, call(), call("moodle")
    run = await world.parked(ours, theirs)
    other = call("moodle")
    await world.parked(other)
    with pytest.raises(WrongOutputs) as refused:
        await runs.answer(world.tenant, run.thread_id, run.id, [(ours.id, "x"), (other.id, "y")])
    assert (refused.value.expected, refused.value.got) == ((ours.id, theirs.id), (ours.id, other.id))
    assert await outputs(world, run) == [None, None]


async def test_an_ended_run_takes_no_answers_but_repeated_ones(world: World) -> None:
    runs, ours, theirs = world.gateway.runs, call(), call("moodle")
    run = await world.parked(ours, theirs)
    await runs.answer(world.tenant, run.thread_id, run.id, [(ours.id, "x")])
    cancelled = await runs.cancel(world.tenant, run.thread_id, run.id)
    with pytest.raises(OutputsNotAccepted) as refused:
        await runs.answer(world.tenant, run.thread_id, run.id, [(ours.id, "x"), (theirs.id, "y")])
    assert refused.value.status == "cancelled"
    assert await runs.answer(world.tenant, run.thread_id, run.id, [(ours.id, "again")]) == cancelled
    assert await runs.answer(world.tenant, run.thread_id, run.id, []) == cancelled
    assert await outputs(world, run) == ["x", None]


async def test_a_run_is_found_without_its_thread_and_a_call_without_its_run(world: World) -> None:
    runs, asked = world.gateway.runs, call()
    run = await world.parked(asked)
    assert run.required_calls
    assert await runs.find(world.tenant, run.id) == run
    found, its_call = await runs.find_call(world.tenant, asked.id)
    assert (found, its_call.id, its_call.name, its_call.output) == (run, asked.id, "f", None)
    quiet = await world.start_run()
    assert await runs.tool_calls(world.tenant, quiet.id) == ()
    assert await runs.open_calls(world.tenant, quiet.thread_id, quiet.id) == ()


async def test_what_is_not_there_is_not_answered(world: World) -> None:
    runs, run = world.gateway.runs, await world.parked(call())
    elsewhere = await world.start_run()
    for missing, kind in (
        (runs.answer(world.tenant, elsewhere.thread_id, run.id, []), "run"),
        (runs.open_calls(world.tenant, elsewhere.thread_id, run.id), "run"),
        (runs.find(world.tenant, "run_none"), "run"),
        (runs.tool_calls(world.tenant, "run_none"), "run"),
        (runs.find_call(world.tenant, "call_none"), "tool call"),
    ):
        with pytest.raises(NotFound) as found:
            await missing
        assert found.value.kind == kind


async def test_a_streamed_run_is_woken_by_its_last_answer(world: World) -> None:
    asked = call("moodle")
    run = await world.parked(asked)
    await world.sql("UPDATE runs SET stream_slots = '{3}' WHERE tenant_id = $1 AND id = $2", world.tenant, run.id)
    worker = world.worker("gateway")
    assert worker.woken == []
    await worker.runs.answer(world.tenant, run.thread_id, run.id, [(asked.id, "x")])
    assert [each.id for each in worker.woken] == [run.id]
