"""Sealed credentials of threads: they go out with the calls of their service, and are nowhere else."""

from base64 import b64encode

import asyncpg
import pytest
from engine_world import World, answer, call, new_id, user
from run_engine.domain.drafts import NewRun, NewThread
from run_engine.domain.objects import Run
from run_engine.errors import NotFound
from run_engine.events import address
from run_engine.store.credentials import SealedCredentials
from run_engine.store.exports import Exports


def box(word: str) -> str:
    return f"0123456789abcdef:{b64encode(word.encode()).decode()}"


async def credentials_of_calls(world: World, run: Run) -> list[str | None]:
    """What the unpublished calls of a thread bring along, as they go over the wire."""
    found = await world.sql("SELECT id FROM outbox WHERE thread_id = $1 ORDER BY id", run.thread_id)
    sent = [
        address(row, "inline").message for row in await world.gateway.table.unpublished([row["id"] for row in found])
    ]
    return [
        message.data["tool_call"].get("credentials")
        for message in sent
        if message.type == "threadworks.tool-call.requested.v1"
    ]


async def started(world: World, *services: str) -> Run:
    """A run whose thread has a credential for each of the services."""
    run = await world.start_run()
    for service in services:
        await SealedCredentials(world.database).put(world.tenant, run.thread_id, service, box(service))
    return run


async def park(world: World, run: Run, *services: str | None) -> None:
    worker = await world.live_worker()
    claimed = await world.claimed(worker, run)
    usage = answer().usage
    await worker.driving.park(claimed, new_id("step"), [call(service) for service in services], usage)


async def test_a_call_brings_the_credential_for_its_service_along(world: World) -> None:
    run = await started(world, "moodle", "library")
    await park(world, run, "moodle", None, "weather", "library")
    assert await credentials_of_calls(world, run) == [box("moodle"), None, box("library")]


async def test_the_newest_one_counts(world: World) -> None:
    run = await started(world, "moodle")
    await SealedCredentials(world.database).put(world.tenant, run.thread_id, "moodle", box("newer"))
    await park(world, run, "moodle")
    assert await credentials_of_calls(world, run) == [box("newer")]


async def test_one_that_was_taken_back_is_not_sent(world: World) -> None:
    run = await started(world, "moodle")
    await SealedCredentials(world.database).forget(world.tenant, run.thread_id, "moodle")
    await SealedCredentials(world.database).forget(world.tenant, run.thread_id, "moodle")
    await park(world, run, "moodle")
    assert await credentials_of_calls(world, run) == [None]


async def test_threads_and_tenants_have_their_own(world: World) -> None:
    await started(world, "moodle")
    run = await world.start_run()
    await park(world, run, "moodle")
    assert await credentials_of_calls(world, run) == [None]


async def test_a_call_that_is_handed_out_once_more_brings_it_again(lonely_world: World) -> None:
    world = lonely_world
    run = await started(world, "moodle")
    await park(world, run, "moodle")
    await world.sql("UPDATE tool_calls SET repeat_at = clock_timestamp()")
    await world.gateway.sweeps.repeat_calls()
    assert await credentials_of_calls(world, run) == [box("moodle")] * 2


async def test_it_is_in_no_event_of_a_run_and_in_no_export(world: World) -> None:
    run = await started(world, "moodle")
    await park(world, run, "moodle")
    found = await world.sql("SELECT data::text FROM run_events WHERE run_id = $1", run.id)
    found += await world.sql(
        "SELECT data::text FROM outbox WHERE thread_id = $1 AND type NOT LIKE '%tool-call%'", run.thread_id
    )
    assert len(found) > 4
    shown = str(found)
    async for page in Exports(world.database).pages(world.tenant, run.thread_id):
        shown += str(page)
    assert run.thread_id in shown
    assert box("moodle") not in shown


async def test_it_goes_with_its_thread(world: World) -> None:
    run = await started(world, "moodle")
    await world.gateway.threads.delete(world.tenant, run.thread_id)
    assert await world.sql("SELECT FROM thread_credentials WHERE thread_id = $1", run.thread_id) == []


async def test_a_thread_has_to_be_there(world: World) -> None:
    with pytest.raises(NotFound):
        await SealedCredentials(world.database).put(world.tenant, new_id("thread"), "moodle", box("moodle"))


async def test_nothing_is_stored_that_is_not_sealed(world: World) -> None:
    run = await world.start_run()
    with pytest.raises(asyncpg.CheckViolationError):
        await SealedCredentials(world.database).put(world.tenant, run.thread_id, "moodle", "a-token-in-clear")


async def test_what_is_given_with_a_new_thread_is_there_before_its_run_can_be_claimed(world: World) -> None:
    thread = NewThread(id=new_id("thread"), messages=[user()])
    draft = NewRun(id=new_id("run"), assistant_id=world.assistant_id)
    async with world.database.unit_of_work():
        await world.gateway.runs.start_on_new_thread(world.tenant, thread, draft)
        await SealedCredentials(world.database).put(world.tenant, thread.id, "moodle", box("moodle"))
        assert await world.sql("SELECT FROM runs WHERE id = $1", draft.id) == []
    await park(world, await world.gateway.runs.get(world.tenant, thread.id, draft.id), "moodle")
    run = await world.gateway.runs.get(world.tenant, thread.id, draft.id)
    assert await credentials_of_calls(world, run) == [box("moodle")]
