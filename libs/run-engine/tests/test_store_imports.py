"""Objects with ids of their own, on a real PostgreSQL: kept as they came, all or none, and alive where they wait."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import imported
import pytest
from engine_world import World, answer, call, new_id, user
from imported import BEGAN
from run_engine.domain.drafts import NewRun, PageRequest
from run_engine.domain.import_errors import BelongsElsewhere, CallsScattered, ComesTwice, MadeHere
from run_engine.domain.imports import ImportedObject, ImportRefused
from run_engine.domain.objects import Run, RunStep, Usage
from run_engine.domain.status import MessageStatus, RunStatus, StepStatus
from run_engine.errors import NotFound, ThreadBusy
from run_engine.store.exports import PAGE, Exports
from run_engine.store.imports import Imports

OLDEST_FIRST = PageRequest(order="asc", limit=100)


async def store(world: World, *objects: ImportedObject) -> dict[str, int]:
    return dict(await Imports(world.database).store(world.tenant, enumerate(objects)))


async def refused(world: World, *objects: ImportedObject) -> dict[int, tuple[type[Exception], str | None]]:
    """By place: why an object was refused, and for which field. Nothing may have been written."""
    before = await everything(world)
    with pytest.raises(ImportRefused) as refusal:
        await store(world, *objects)
    assert await everything(world) == before
    return {each.index: (type(each.reason), each.field) for each in refusal.value.refused}


async def everything(world: World, thread_id: str | None = None) -> list[ImportedObject]:
    return [each async for page in Exports(world.database).pages(world.tenant, thread_id) for each in page]


async def steps_of(world: World, run_id: str = "run_old") -> list[RunStep]:
    page = await world.gateway.runs.list_steps(world.tenant, "thread_old", run_id, OLDEST_FIRST)
    return list(page.items)


async def run_of(world: World, run_id: str = "run_old") -> Run:
    return await world.gateway.runs.get(world.tenant, "thread_old", run_id)


async def test_objects_come_back_as_they_came_in_whatever_order_they_are_sent(world: World) -> None:
    other = {"id": "call_ci", "type": "code_interpreter", "code_interpreter": {"input": "1+1", "outputs": []}}
    objects = [
        imported.step(
            imported.call(output="42"),
            other_calls=((0, other),),
            expires_at=BEGAN,
            usage=Usage(prompt_tokens=1, completion_tokens=2, details={"prompt_token_details": {"cached_tokens": 1}}),
        ),
        imported.message(status=MessageStatus.INCOMPLETE, incomplete_at=BEGAN, run_id="run_old", role="assistant"),
        imported.run(usage=Usage(prompt_tokens=1, completion_tokens=2, details={"total_tokens": 4})),
        imported.thread(metadata={"a": "b"}, tool_resources={"code_interpreter": {"file_ids": ["file-old"]}}),
        imported.file(expires_at=BEGAN + timedelta(days=40_000)),
        imported.assistant(name="Ada", temperature=0.5, tools=[{"type": "code_interpreter"}]),
    ]
    assert await store(world, *objects) == {
        "assistant": 1, "file": 1, "user": 0, "tool": 0, "thread": 1, "message": 1, "run": 1, "run step": 1,
    }  # fmt: skip
    exported = [each for each in await everything(world) if each.id != world.assistant_id]
    kinds = ["Assistant", "File", "Thread", "Message", "Run", "RunStep"]
    assert [type(each).__name__ for each in exported] == kinds
    expected = [replace(each, tenant_id=world.tenant) if isinstance(each, Run) else each for each in objects]
    assert exported == sorted(expected, key=lambda each: kinds.index(type(each).__name__))
    assert await world.sql("SELECT 1 FROM run_events WHERE tenant_id = $1", world.tenant) == []
    assert await world.outbox("thread_old") == []


async def test_a_run_of_each_status_is_kept_and_only_an_active_one_locks(world: World) -> None:
    for status in RunStatus:
        name = status.value
        thread = imported.thread(id=f"thread_{name}")
        calls = (imported.call(),) if status is RunStatus.REQUIRES_ACTION else ()
        run = imported.run(id=f"run_{name}", thread_id=thread.id, status=status, required_calls=calls)
        await store(world, run, thread)
        found = await world.gateway.runs.get(world.tenant, thread.id, run.id)
        assert found == replace(run, tenant_id=world.tenant)
        locked = (await world.gateway.threads.get(world.tenant, thread.id)).active_run
        assert locked == (None if status.ended else run.id)


async def test_an_ended_run_without_usage_shows_none(world: World) -> None:
    await store(world, imported.thread(), imported.run(status=RunStatus.FAILED, usage=None))
    assert (await run_of(world)).usage is None


async def test_ties_in_time_keep_the_order_of_the_import(world: World) -> None:
    messages = [imported.message(id=f"msg_{99 - number:02}") for number in range(30)]
    await store(world, *messages, imported.thread())
    page = await world.gateway.messages.list(world.tenant, "thread_old", OLDEST_FIRST)
    assert list(page.items) == messages
    await store(world, *reversed(messages))
    again = await world.gateway.messages.list(world.tenant, "thread_old", OLDEST_FIRST)
    assert list(again.items) == messages, "an object that is there already keeps its place"


async def test_imported_objects_replace_what_is_there(world: World) -> None:
    await store(world, imported.assistant(), imported.thread(), imported.message(), imported.run(), imported.file())
    await store(
        world,
        imported.assistant(name="Eva"),
        imported.thread(metadata={"c": "d"}),
        imported.message(metadata={"c": "d"}),
        imported.run(metadata={"c": "d"}, status=RunStatus.EXPIRED),
        imported.file(filename="other.txt"),
    )
    assert (await world.gateway.assistants.get(world.tenant, "asst_old")).name == "Eva"
    assert (await world.gateway.messages.get(world.tenant, "thread_old", "msg_old")).metadata == {"c": "d"}
    assert (await run_of(world)).status is RunStatus.EXPIRED


async def test_the_same_object_twice_counts_once(world: World) -> None:
    assert (await store(world, imported.thread(), imported.thread()))["thread"] == 1
    twice = await refused(world, imported.thread(), imported.thread(metadata={"a": "b"}))
    assert twice == {1: (ComesTwice, "id")}


async def test_what_belongs_to_nothing_is_refused_and_everything_with_it(world: World) -> None:
    found = await refused(
        world, imported.assistant(), imported.message(), imported.run(), imported.step(run_id="run_none")
    )
    assert found == {1: (NotFound, "thread_id"), 2: (NotFound, "thread_id"), 3: (NotFound, "run_id")}


async def test_what_is_stored_elsewhere_does_not_move(world: World) -> None:
    other = [imported.thread(id="thread_other"), imported.run(id="run_other", thread_id="thread_other")]
    await store(world, imported.thread(), imported.message(), imported.run(), imported.step(imported.call()), *other)
    found = await refused(
        world,
        imported.message(thread_id="thread_other"),
        imported.run(thread_id="thread_other"),
        imported.step(run_id="run_other", thread_id="thread_other"),
        imported.step(id="step_new", run_id="run_other"),
        imported.step(imported.call(), id="step_2"),
    )
    assert found == {
        0: (BelongsElsewhere, "thread_id"),
        1: (BelongsElsewhere, "thread_id"),
        2: (BelongsElsewhere, "run_id"),
        3: (BelongsElsewhere, "thread_id"),
        4: (BelongsElsewhere, "thread_id"),
    }


async def test_a_call_is_in_one_step_of_its_run(world: World) -> None:
    await store(world, imported.thread(), imported.run(), imported.step(imported.call()))
    found = await refused(
        world,
        imported.step(imported.call(), id="step_2"),
        imported.step(imported.call("call_b"), imported.call("call_b"), id="step_3"),
    )
    where = "step_details.tool_calls"
    assert found == {0: (BelongsElsewhere, where), 1: (ComesTwice, where)}
    other = imported.run(id="run_2")
    await store(world, other, imported.step(imported.call(), id="step_4", run_id="run_2"))
    assert [step.tool_calls for step in await steps_of(world, "run_2")] == [(imported.call(),)]


async def test_runs_that_are_driven_here_are_not_overwritten(world: World) -> None:
    live = await world.start_run()
    thread_id, run_id = live.thread_id, live.id
    found = await refused(
        world,
        imported.run(id=run_id, thread_id=thread_id),
        imported.step(run_id=run_id, thread_id=thread_id),
        imported.message(thread_id=thread_id),
        imported.run(id="run_2", thread_id=thread_id, status=RunStatus.QUEUED),
    )
    assert found == {
        0: (MadeHere, "id"),
        1: (MadeHere, "run_id"),
        2: (ThreadBusy, "thread_id"),
        3: (ThreadBusy, "thread_id"),
    }
    await store(world, imported.thread(id=thread_id, metadata={"a": "b"}), imported.run(thread_id=thread_id))
    assert await world.active_run(live) == run_id


async def test_one_active_run_a_thread(world: World) -> None:
    first, second = (imported.run(id=f"run_{name}", status=RunStatus.QUEUED) for name in "ab")
    assert await refused(world, first, imported.thread(), second) == {2: (ThreadBusy, "thread_id")}
    await store(world, first, imported.thread())
    assert await refused(world, second) == {0: (ThreadBusy, "thread_id")}
    # Ended where it comes from, it gives way in the same request.
    await store(world, second, imported.run(id="run_a"))
    assert (await world.gateway.threads.get(world.tenant, "thread_old")).active_run == "run_b"
    await store(world, imported.run(id="run_b"))
    assert (await world.gateway.threads.get(world.tenant, "thread_old")).active_run is None


async def test_an_imported_run_is_neither_claimed_nor_swept(lonely_world: World) -> None:
    world = lonely_world
    worker = await world.live_worker()
    for status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.REQUIRES_ACTION, RunStatus.CANCELLING):
        thread = imported.thread(id=f"thread_{status.value}")
        run = imported.run(id=f"run_{status.value}", thread_id=thread.id, status=status, expires_at=BEGAN)
        await store(world, thread, run)
        assert await worker.driving.claim(world.tenant, run.id) is None
    before = await everything(world)
    assert await worker.driving.queued(10) == []
    sweeps = worker.sweeps
    assert await sweeps.expire_runs() == await sweeps.requeue_lost_runs(timedelta(0)) == 0
    assert await sweeps.queue_idle_runs() == await sweeps.fail_overdue_calls() == await sweeps.repeat_calls() == 0
    assert await everything(world) == before


@pytest.mark.parametrize("steps_come", ["with the run", "later", "never"])
async def test_an_imported_run_goes_on_when_its_client_answers(world: World, steps_come: str) -> None:
    steps = [
        imported.step(imported.call("call_a", output="1"), id="step_a"),
        imported.step(
            imported.call("call_b"), imported.call("call_c"),
            id="step_b", created_at=BEGAN + timedelta(seconds=9), status=StepStatus.IN_PROGRESS, completed_at=None,
            usage=None,
        ),
    ]  # fmt: skip
    run = imported.waiting(imported.call("call_b"), imported.call("call_c"))
    if steps_come == "with the run":
        await store(world, *steps, run, imported.message(), imported.thread())
    else:
        await store(world, imported.thread(), imported.message(), run)
    if steps_come == "later":
        await store(world, *steps)
    shown = await steps_of(world)
    if steps_come == "never":
        assert [each.tool_calls for each in shown] == [(imported.call("call_b"), imported.call("call_c"))]
    else:
        assert shown == steps
    assert [each.id for each in (await run_of(world)).required_calls] == ["call_b", "call_c"]

    answered = await world.gateway.runs.submit_outputs(
        world.tenant, "thread_old", run.id, [("call_b", "2"), ("call_c", "3")]
    )
    assert answered.status is RunStatus.QUEUED
    assert answered.expires_at is not None
    [clock] = await world.sql("SELECT clock_timestamp() AS now")
    assert answered.expires_at > clock["now"] + timedelta(seconds=500)
    worker = await world.live_worker()
    claimed = await worker.driving.claim(world.tenant, run.id)
    assert claimed is not None
    assert claimed.attempt > 1, "a first claim is taken to have no steps"
    rounds = [step for step in await worker.driving.steps(claimed) if step.status is StepStatus.COMPLETED]
    outputs = [call.output for step in rounds for call in step.tool_calls]
    assert outputs == (["2", "3"] if steps_come == "never" else ["1", "2", "3"])
    await worker.driving.finish(claimed, answer())
    ended = await run_of(world)
    assert ended.status is RunStatus.COMPLETED
    before = 0 if steps_come == "never" else 10
    assert ended.usage == Usage(prompt_tokens=before + 10, completion_tokens=(3 if before else 0) + 4)
    assert await world.active_run(ended) is None
    assert await world.events(ended) == [
        "run-step.completed", "run.queued", "run.in_progress",
        "run-step.created", "message.completed", "run-step.completed", "run.completed",
    ]  # fmt: skip
    await world.outbox("thread_old")


async def test_a_step_that_only_stood_in_is_replaced_by_the_real_one(world: World) -> None:
    await store(world, imported.thread(), imported.waiting(imported.call("call_a")))
    [stand_in] = await steps_of(world)
    await store(world, imported.waiting(imported.call("call_a")))
    assert await steps_of(world) == [stand_in], "importing a run again makes the same step"
    real = imported.step(imported.call("call_a"), id="step_real", status=StepStatus.IN_PROGRESS, usage=None)
    await store(world, real)
    assert await steps_of(world) == [real]
    done = imported.step(imported.call("call_a", output="1"), id="step_real")
    await store(world, imported.run(), done)
    assert await steps_of(world) == [done]
    assert (await run_of(world)).required_calls == ()


async def test_a_stand_in_takes_no_id_that_is_used(world: World) -> None:
    waiting = imported.waiting(imported.call("call_a"))
    await store(world, imported.thread(), waiting)
    [stand_in] = await steps_of(world)
    # As from a dump that was edited: the step is there, and its call is not.
    empty = imported.step(id=stand_in.id)
    await store(world, waiting, empty)
    assert {step.id: [call.id for call in step.tool_calls] for step in await steps_of(world)}[stand_in.id] == []
    assert [call.id for call in (await run_of(world)).required_calls] == ["call_a"]


async def test_open_calls_are_in_one_step(world: World) -> None:
    steps = [imported.step(imported.call(f"call_{name}"), id=f"step_{name}", usage=None) for name in "ab"]
    run = imported.waiting(imported.call("call_a"), imported.call("call_b"))
    assert await refused(world, imported.thread(), run, *steps) == {1: (CallsScattered, "required_action")}
    assert await refused(world, imported.thread(), run, steps[0]) == {1: (CallsScattered, "required_action")}
    await store(world, imported.thread(), run)
    assert await refused(world, steps[0]) == {0: (CallsScattered, "step_details.tool_calls")}


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.REQUIRES_ACTION,
                                    RunStatus.CANCELLING])  # fmt: skip
async def test_cancelling_ends_an_imported_run(world: World, status: RunStatus) -> None:
    calls = (imported.call(),) if status is RunStatus.REQUIRES_ACTION else ()
    open_message = imported.message(status=MessageStatus.IN_PROGRESS, run_id="run_old", role="assistant")
    await store(world, imported.thread(), imported.run(status=status, required_calls=calls), open_message)
    cancelled = await world.gateway.runs.cancel(world.tenant, "thread_old", "run_old")
    assert cancelled.status is RunStatus.CANCELLED
    assert await world.active_run(cancelled) is None
    message = await world.gateway.messages.get(world.tenant, "thread_old", "msg_old")
    assert (message.status, message.incomplete_details) == (MessageStatus.INCOMPLETE, {"reason": "run_cancelled"})
    assert (await world.events(cancelled))[-1] == "run.cancelled"
    await world.gateway.messages.create(world.tenant, "thread_old", user())


async def test_a_thread_with_an_imported_run_is_locked_and_can_be_deleted(world: World) -> None:
    await store(world, imported.thread(), imported.waiting())
    with pytest.raises(ThreadBusy):
        await world.gateway.messages.create(world.tenant, "thread_old", user())
    with pytest.raises(ThreadBusy):
        await world.gateway.runs.start(
            world.tenant, "thread_old", NewRun(id=new_id("run"), assistant_id=world.assistant_id)
        )
    await world.gateway.threads.delete(world.tenant, "thread_old")
    assert [each.id for each in await everything(world)] == [world.assistant_id]


async def test_a_run_starts_on_an_imported_thread(world: World) -> None:
    await store(world, imported.thread(), imported.message())
    draft = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
    run = await world.gateway.runs.start(world.tenant, "thread_old", draft)
    worker = await world.live_worker()
    claimed = await world.claimed(worker, run)
    await worker.driving.finish(claimed, answer())
    page = await world.gateway.messages.list(world.tenant, "thread_old", OLDEST_FIRST)
    assert [each.role for each in page.items] == ["user", "assistant"]


async def test_a_file_whose_bytes_are_here_is_not_overwritten(world: World) -> None:
    await world.sql(
        "INSERT INTO files (tenant_id, id, created_at, bytes, filename, purpose, status, storage_key) "
        "VALUES ($1, 'file-old', now(), 1, 'a', 'assistants', 'processed', $1)",
        world.tenant,
    )
    assert await refused(world, imported.file()) == {0: (MadeHere, "id")}


async def test_an_export_goes_into_another_tenant_and_comes_out_the_same(
    new_world: Callable[[], Awaitable[World]],
) -> None:
    world, other = await new_world(), await new_world()
    worker = await world.live_worker()
    run = await world.parked(call(), call("moodle"))
    client = run.required_calls[0]
    await world.gateway.runs.submit_outputs(world.tenant, run.thread_id, run.id, [(client.id, "yes")])
    [server] = await world.sql("SELECT id FROM tool_calls WHERE tenant_id = $1 AND service = 'moodle'", world.tenant)
    await worker.answers.complete(world.tenant, run.id, server["id"], "dates")
    claimed = await world.claimed(worker, run)
    await worker.driving.finish(claimed, answer())
    await world.parked(call(), call())
    await world.start_run(*(user(str(number)) for number in range(1200)))
    cancelled = await world.start_run()
    await world.gateway.runs.cancel(world.tenant, cancelled.thread_id, cancelled.id)

    exported = await everything(world)
    assert len([each for each in exported if isinstance(each, RunStep)]) == 3
    await store(other, *(each for each in exported))
    again = await everything(other)
    assert _comparable(again, other.assistant_id) == _comparable(exported, other.assistant_id)
    thread = await everything(other, run.thread_id)
    assert [type(each).__name__ for each in thread] == [
        "Thread", "Message", "Message", "Run", "RunStep", "RunStep",
    ]  # fmt: skip


def _comparable(objects: list[ImportedObject], own_assistant: str) -> list[Any]:
    """As an export shows it: without who drives a run; and without a tenant's own assistant."""
    shown: list[Any] = []
    for each in objects:
        if isinstance(each, Run):
            shown.append(replace(each, tenant_id="", attempt=0, seq=0, stream_slots=frozenset()))
        elif isinstance(each, RunStep):
            calls = tuple(replace(call, service=None) for call in each.tool_calls)
            shown.append(replace(each, tool_calls=calls))
        elif each.id != own_assistant:
            shown.append(each)
    return shown


async def test_a_long_thread_among_short_ones_is_exported_whole(world: World) -> None:
    threads = [imported.thread(id=f"thread_{number}") for number in range(60)]
    messages = [imported.message(id=f"msg_{number}", thread_id="thread_7") for number in range(1300)]
    messages += [imported.message(id=f"msg_of_{each.id}", thread_id=each.id) for each in threads]
    await store(world, *messages, *threads)
    exported = await everything(world)
    assert len(exported) == 1 + 60 + 1360
    in_thread = [each.id for each in exported if type(each).__name__ == "Message" and each.thread_id == "thread_7"]  # type: ignore[union-attr]
    assert in_thread == [f"msg_{number}" for number in range(1300)] + ["msg_of_thread_7"]


async def test_an_export_has_one_active_run_a_thread_though_it_is_read_in_pieces(world: World) -> None:
    ended = [imported.run(id=f"run_{number}", created_at=BEGAN) for number in range(PAGE - 1)]
    await store(world, imported.thread(), *ended, imported.run(status=RunStatus.QUEUED))
    taken: list[ImportedObject] = []
    async for page in Exports(world.database).pages(world.tenant):
        if any(isinstance(each, Run) for each in page) and not any(isinstance(each, Run) for each in taken):
            await store(world, imported.run(), imported.run(id="run_next", status=RunStatus.QUEUED))
        taken += page
    assert [each.id for each in taken if isinstance(each, Run) and not each.status.ended] == ["run_old"]


async def test_a_thread_that_is_not_there_is_not_exported(world: World) -> None:
    with pytest.raises(NotFound):
        await everything(world, "thread_none")


async def test_imports_and_live_runs_race_for_a_thread(world: World) -> None:
    """Whoever takes the lock first has it; the other is told, and nothing of it is written."""
    for number in range(40):
        thread_id = f"thread_{number}"
        await store(world, imported.thread(id=thread_id))
        live = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
        active = imported.run(id=f"run_{number}", thread_id=thread_id, status=RunStatus.QUEUED)
        pair = [
            world.gateway.runs.start(world.tenant, thread_id, live, [user()]),
            store(world, active, imported.message(id=f"msg_{number}", thread_id=thread_id)),
        ]
        results = await asyncio.gather(*(pair if number % 2 else reversed(pair)), return_exceptions=True)
        lost = [each for each in results if isinstance(each, BaseException)]
        assert [type(each) for each in lost] in ([ThreadBusy], [ImportRefused])
        runs = await world.sql(
            "SELECT id, driven FROM runs WHERE tenant_id = $1 AND thread_id = $2", world.tenant, thread_id
        )
        assert [row["id"] for row in runs] == [(await world.gateway.threads.get(world.tenant, thread_id)).active_run]


async def test_imports_answers_and_deletions_race_without_deadlock(world: World) -> None:
    for number in range(20):
        objects = [
            imported.waiting(),
            imported.step(imported.call(), usage=None),
            imported.thread(),
            imported.message(),
        ]
        await store(world, *objects)
        results = await asyncio.gather(
            store(world, *objects),
            world.gateway.runs.submit_outputs(world.tenant, "thread_old", "run_old", [("call_old", "1")]),
            store(world, *reversed(objects)),
            *([world.gateway.threads.delete(world.tenant, "thread_old")] if number % 2 else []),
            return_exceptions=True,
        )
        for each in results:
            assert not isinstance(each, BaseException) or isinstance(each, ImportRefused | NotFound), each
        if not number % 2:
            # Answered, so driven here: what came after it was refused, and took nothing of it back.
            assert (await run_of(world)).status is RunStatus.QUEUED
            await world.gateway.threads.delete(world.tenant, "thread_old")
        elif await world.sql("SELECT 1 FROM threads WHERE tenant_id = $1", world.tenant):
            await world.gateway.threads.delete(world.tenant, "thread_old")


async def test_imports_at_the_same_time_with_the_same_ids_do_not_wait_for_each_other(world: World) -> None:
    objects = [imported.thread(id=f"thread_{number}") for number in range(200)]
    await asyncio.gather(*(store(world, *(objects if turn % 2 else reversed(objects))) for turn in range(8)))
    assert len(await everything(world)) == 201


async def test_ten_thousand_objects_in_one_request(world: World) -> None:
    text = [{"type": "text", "text": {"value": "a sentence of usual length. " * 20, "annotations": []}}]
    objects: list[ImportedObject] = [imported.thread(id=f"thread_{number}") for number in range(100)]
    for number in range(1650):
        place = {"thread_id": f"thread_{number % 100}"}
        objects += [imported.message(id=f"msg_{number}_{turn}", content=text, **place) for turn in range(3)]
        objects.append(imported.run(id=f"run_{number}", **place))
        objects += [
            imported.step(imported.call(f"call_{turn}"), id=f"step_{number}_{turn}", run_id=f"run_{number}", **place)
            for turn in range(2)
        ]
    assert len(objects) == 10_000
    loop = asyncio.get_running_loop()
    for _ in range(2):
        began = loop.time()
        await store(world, *objects)
        # All statements together take less than one alone may.
        assert loop.time() - began < 10
