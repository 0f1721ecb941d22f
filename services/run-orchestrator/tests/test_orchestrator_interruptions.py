"""Runs that are stopped from outside: cancelled, expired, taken away, handed back; workers that die and freeze."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from run_engine import lease

HELD = {"steps": ["half an", {"gate": "held"}, " answer"]}


async def held_run(stage: Any, *, match: str = "held") -> Any:
    """A run whose model has sent half of its answer and goes on when the gate `held` is released."""
    await stage.model.script({**HELD, "match": match})
    run = await stage.start_run(f"please be {match}")
    await stage.model.wait(gate="held")
    return run


async def test_a_cancelled_run_stops_its_model_at_once(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the lease, which would hear of it in the end: what is tested is the event.
    monkeypatch.setattr(lease, "RENEWAL", timedelta(hours=1))
    await stage.orchestrator()
    run = await held_run(stage)
    assert (await stage.runs.cancel("tenant", run.thread_id, run.id)).status == "cancelling"
    await stage.model.wait(client_gone=1)
    ended = await stage.until_status(run, "cancelled")
    assert ended.cancelled_at is not None
    assert stage.statuses(run) == ["queued", "in_progress", "cancelling", "cancelled"]
    # What was written is kept, also where nobody listened.
    assert await stage.texts(run) == ["half an"]
    assert (await stage.threads.get("tenant", run.thread_id)).active_run is None


async def test_the_lease_tells_of_a_cancellation_whose_event_was_lost(stage: Any) -> None:
    await stage.orchestrator()
    run = await held_run(stage)
    await stage.sql("UPDATE runs SET status = 'cancelling' WHERE id = $1", run.id)
    await stage.model.wait(client_gone=1)
    await stage.until_status(run, "cancelled")


async def test_a_call_that_comes_after_the_cancellation_is_not_made(stage: Any) -> None:
    """The model is faster than the word of the cancellation, but a run that is to be cancelled is not parked."""
    await stage.announce("moodle")
    await stage.orchestrator(tool_services="moodle")
    tool_call = {"tool_call": {"name": "get_moodle_course_content", "arguments": "{}"}}
    await stage.model.script({"steps": [{"gate": "held"}, tool_call]})
    run = await stage.start_run(functions=["get_moodle_course_content"])
    await stage.model.wait(gate="held")
    await stage.sql("UPDATE runs SET status = 'cancelling' WHERE id = $1", run.id)
    await stage.model.release("held")
    await stage.until_status(run, "cancelled")
    assert stage.calls == []


async def test_an_answer_that_is_faster_than_the_cancellation_counts(stage: Any) -> None:
    await stage.orchestrator()
    run = await held_run(stage)
    await stage.sql("UPDATE runs SET status = 'cancelling' WHERE id = $1", run.id)
    await stage.model.release("held")
    await stage.until_status(run, "completed")
    assert await stage.texts(run) == ["half an answer"]


async def test_a_wrong_request_to_cancel_only_delays_a_run(stage: Any) -> None:
    await stage.orchestrator()
    run = await held_run(stage)
    data = {"run": {"id": run.id, "thread_id": run.thread_id}}
    await stage.publish("threadworks.run.cancel-requested.v1", run.id, data)
    await stage.model.wait(client_gone=1)
    await stage.until_status(run, "completed")
    assert stage.statuses(run) == ["queued", "in_progress", "queued", "in_progress", "completed"]
    assert len(await stage.texts(run)) == 1


async def test_a_run_expires_and_its_model_is_stopped(stage: Any) -> None:
    await stage.orchestrator()
    run = await held_run(stage)
    await stage.sql("UPDATE runs SET expires_at = clock_timestamp() WHERE id = $1", run.id)
    await stage.until_status(run, "expired")
    await stage.model.wait(client_gone=1)
    assert await stage.texts(run) == []
    assert (await stage.threads.get("tenant", run.thread_id)).active_run is None


async def test_a_run_that_waits_for_a_service_expires_too(stage: Any) -> None:
    await stage.announce("moodle")
    await stage.orchestrator(tool_services="moodle")
    tool_call = {"tool_call": {"name": "get_moodle_course_content", "arguments": "{}"}}
    await stage.model.script({"steps": [tool_call]})
    run = await stage.start_run(functions=["get_moodle_course_content"])
    (asked,) = await stage.calls_of(run, 1)
    await stage.sql("UPDATE runs SET expires_at = clock_timestamp() WHERE id = $1", run.id)
    await stage.until_status(run, "expired")
    await stage.answer(asked, "too late")
    other = await stage.start_run()
    await stage.until_status(other, "completed")
    assert (await stage.read(run)).status == "expired"


async def test_a_zombie_writes_nothing(stage: Any) -> None:
    """The run was taken from a worker that still believes in it: another one ends it, and the first one stops."""
    await stage.orchestrator()
    run = await held_run(stage)
    await stage.sql("UPDATE runs SET worker = 'other', attempt = attempt + 1 WHERE id = $1", run.id)
    await stage.model.release("held")
    await stage.model.wait(finished=1)
    other = await stage.start_run()
    await stage.until_status(other, "completed")
    assert (await stage.read(run)).status == "in_progress"
    assert await stage.texts(run) == []


async def test_a_run_that_was_taken_away_stops_its_model(stage: Any) -> None:
    await stage.orchestrator()
    run = await held_run(stage)
    await stage.sql("UPDATE runs SET worker = 'other', attempt = attempt + 1 WHERE id = $1", run.id)
    await stage.model.wait(client_gone=1)
    assert (await stage.read(run)).status == "in_progress"


async def test_deleting_the_thread_stops_the_model(stage: Any) -> None:
    await stage.orchestrator()
    run = await held_run(stage)
    await stage.threads.delete("tenant", run.thread_id)
    await stage.model.wait(client_gone=1)


async def test_a_claim_whose_reply_was_lost_is_driven_again(stage: Any) -> None:
    """The database says that the run is ours, and nobody here drives it."""
    await stage.orchestrator()
    (worker,) = await stage.sql("SELECT id FROM workers WHERE role = 'run-orchestrator'")
    run = await stage.start_claimed_run(worker["id"])
    await stage.until_status(run, "completed")
    assert "queued" in stage.statuses(run)


async def test_a_lost_wake_up_is_found_by_looking(stage: Any) -> None:
    await stage.orchestrator()
    run = await stage.start_run_silently()
    await stage.until_status(run, "completed")


async def test_doubled_and_disordered_wake_ups_have_no_effect(stage: Any) -> None:
    await stage.orchestrator()
    run = await held_run(stage)
    data = {"run": {"id": run.id, "thread_id": run.thread_id}}
    for _ in range(5):
        await stage.publish("threadworks.run.requested.v1", run.id, data)
    await stage.publish("threadworks.run.requested.v1", "run_unknown", {"run": {"id": "run_unknown", "thread_id": "t"}})
    other = await stage.start_run()
    await stage.until_status(other, "completed")
    await stage.model.release("held")
    await stage.until_status(run, "completed")
    await stage.publish("threadworks.run.cancel-requested.v1", run.id, data)
    await stage.publish("threadworks.run.requested.v1", run.id, data)
    last = await stage.start_run()
    await stage.until_status(last, "completed")
    assert stage.statuses(run) == ["queued", "in_progress", "completed"]
    assert await stage.texts(run) == ["half an answer"]
    assert len(await stage.model.requests()) == 3


async def test_a_shutdown_lets_a_run_end(stage: Any) -> None:
    service = await stage.orchestrator(drain_seconds=30.0)
    run = await held_run(stage)
    stopping = asyncio.create_task(service.stop())
    late = await stage.start_run()
    await stage.model.release("held")
    await stage.until_status(run, "completed")
    await stopping
    assert (await stage.read(late)).status == "queued"
    assert len(await stage.model.requests()) == 1


async def test_a_shutdown_hands_back_what_does_not_end(stage: Any) -> None:
    first = await stage.orchestrator(drain_seconds=0.1)
    run = await held_run(stage)
    await first.stop()
    await stage.model.wait(client_gone=1)
    assert (await stage.read(run)).status == "queued"
    await stage.orchestrator()
    await stage.until_status(run, "completed")
    assert stage.statuses(run) == ["queued", "in_progress", "queued", "in_progress", "completed"]
    assert len(await stage.texts(run)) == 1


async def test_a_shutdown_during_a_pause_between_tries_hands_back(stage: Any) -> None:
    service = await stage.orchestrator(drain_seconds=0.1)
    await stage.model.script({"status": 429, "headers": {"retry-after": "60"}})
    run = await stage.start_run()
    await stage.model.wait(refused=1)
    await service.stop()
    assert (await stage.read(run)).status == "queued"


async def test_the_run_of_a_dead_orchestrator_is_driven_by_another(stage: Any) -> None:
    """Its lease runs out in the middle of the model's stream; nothing of that stream remains."""
    assert timedelta(seconds=10) == lease.LEASE
    run = await stage.start_run_silently()
    await stage.sql(
        "INSERT INTO workers (id, role, renewed_at) VALUES ('dead', 'x', clock_timestamp() - interval '1 h')"
    )
    await stage.sql("UPDATE runs SET status = 'in_progress', worker = 'dead', attempt = 1, seq = seq + 1")
    await stage.orchestrator()
    await stage.until_status(run, "completed")
    assert len(await stage.texts(run)) == 1


@pytest.mark.parametrize("cut", ["claim", "finish"])
async def test_the_database_comes_back_and_the_run_ends(stage: Any, cut: str) -> None:
    """Connections are cut while a run waits for its claim, or for the commit of its answer."""
    await stage.orchestrator()
    if cut == "claim":
        await stage.break_connections()
        run = await stage.start_run()
    else:
        run = await held_run(stage)
        await stage.break_connections()
        await stage.model.release("held")
    await stage.until_status(run, "completed")
    assert len(await stage.texts(run)) == 1
