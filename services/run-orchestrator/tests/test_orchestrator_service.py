"""The life of the service: what it waits for at its start, what its readiness says, how it fails and stops."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from event_bus import Message, OutgoingRecord
from event_bus.in_process import InProcessBus
from run_engine.errors import DatabaseUnavailable, SchemaUnsuitable
from run_engine.store.database import Database
from run_orchestrator.bootstrap import build


def missing(service: Any) -> dict[str, str]:
    return {name: told for name, check in service.checks().items() if (told := check()) is not None}


async def test_it_is_ready_once_everything_was_reached(stage: Any) -> None:
    service = build(stage.settings(tool_services="moodle"), stage.bus)
    assert missing(service) == {
        "database": "not connected yet",
        "event_bus": "nothing could be read yet",
        "tool_services": "moodle has not announced",
    }
    stage.services.append(service)
    await service.start()
    assert "database" not in missing(service)
    await stage.announce("moodle")
    run = await stage.start_run()
    await stage.until_status(run, "completed")
    assert missing(service) == {}


async def test_its_readiness_names_functions_that_two_services_announce(stage: Any) -> None:
    service = await stage.orchestrator(tool_services="moodle,wiki")
    await stage.announce("wiki", 30.0, "f")
    await stage.announce("moodle", 30.0, "f")
    run = await stage.start_run()
    await stage.until_status(run, "completed")
    assert missing(service) == {"tool_services": "f is announced by moodle and wiki"}


async def test_it_can_be_stopped_while_it_waits_for_the_database(monkeypatch: pytest.MonkeyPatch, stage: Any) -> None:
    tried = asyncio.Event()

    async def connect(*_arguments: Any, **_named: Any) -> Database:
        tried.set()
        raise DatabaseUnavailable("away")

    monkeypatch.setattr(Database, "connect", connect)
    service = build(stage.settings(), stage.bus)
    starting = asyncio.create_task(service.start())
    await tried.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await service.stop()
    assert missing(service)["database"] == "not connected yet"


async def test_it_refuses_a_database_without_its_schema(
    fresh_database: Callable[[], Awaitable[str]], stage: Any
) -> None:
    url = await fresh_database()
    service = build(stage.settings(database_url=url), stage.bus)
    with pytest.raises(SchemaUnsuitable, match="threadworks migrate"):
        await service.start()
    await service.stop()
    connection = await asyncpg.connect(url)
    left = await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    await connection.close()
    assert left == 1, "only the connection that asks"


async def test_it_fails_with_a_subscription_that_died(stage: Any) -> None:
    """Nothing but rubbish comes in: it must not be drained into dead letters by a service that looks well."""
    bus = InProcessBus()
    await bus.start()
    service = build(stage.settings(), bus)
    await service.start()
    rubbish = OutgoingRecord(topic="threadworks.run-commands.v1", key=b"k", value=b"rubbish")
    await bus.publisher.publish([rubbish] * 30)
    cause = await asyncio.wait_for(service.failed, 10)
    assert isinstance(cause, Exception)
    await service.stop()
    await bus.stop()


async def test_stopping_twice_is_fine(stage: Any) -> None:
    service = await stage.orchestrator()
    await service.stop()
    await service.stop()


async def test_a_stopped_service_leaves_nothing_behind(stage: Any) -> None:
    before = asyncio.all_tasks()
    service = await stage.orchestrator(tool_services="moodle", tool_service_wait=0)
    run = await stage.start_run()
    await stage.until_status(run, "completed")
    await service.stop()
    # Of the bus, which goes on: it counts its handlers off in the next turn of the loop.
    await asyncio.sleep(0)
    assert {task.get_name() for task in asyncio.all_tasks() - before} == set()
    (worker,) = await stage.sql(
        "SELECT renewed_at = '-infinity' AS retired FROM workers WHERE role = 'run-orchestrator'"
    )
    assert worker["retired"]
    assert (
        await stage.sql("SELECT 1 FROM outbox o JOIN workers w ON w.id = o.owner WHERE role = 'run-orchestrator'") == []
    )


async def test_two_orchestrators_share_the_work(stage: Any) -> None:
    for _ in range(2):
        await stage.orchestrator(places=3)
    await stage.model.script({"before": [{"gate": "g"}], "times": None})
    runs = [await stage.start_run() for _ in range(6)]
    await stage.model.wait(gate="g", waiting=6)
    workers = await stage.sql("SELECT worker, count(*) AS runs FROM runs GROUP BY worker")
    assert [row["runs"] for row in workers] == [3, 3]
    await stage.model.release("g")
    for run in runs:
        await stage.until_status(run, "completed")
    assert len(await stage.model.requests()) == 6


async def test_the_database_is_away_while_events_come_in(stage: Any) -> None:
    """A handler that meets no database acknowledges nothing: the wake-up comes again."""
    await stage.announce("moodle")
    await stage.orchestrator(tool_services="moodle")
    await stage.model.script({"steps": [{"tool_call": {"name": "get_moodle_course_content"}}]})
    run = await stage.start_run(functions=["get_moodle_course_content"])
    (asked,) = await stage.calls_of(run, 1)
    await stage.until(lambda: "awaiting_tools" in stage.statuses(run))
    await stage.break_connections()
    await stage.answer(asked, "dates")
    await stage.until_status(run, "completed")
    assert (await stage.model.bodies())[1]["messages"][-1]["content"] == "dates"


async def test_messages_without_a_tenant_are_dead_letters_and_stop_nothing(stage: Any) -> None:
    await stage.orchestrator()
    event = Message(
        type="threadworks.run.requested.v1",
        source="/test",
        subject="run_1",
        tenant=None,
        data={"run": {"id": "run_1", "thread_id": "thread_1"}},
        id=str(uuid4()),
        time=datetime.now(UTC),
    )
    headers = [("ce_specversion", b"1.0"), ("ce_id", event.id.encode()), ("ce_source", b"/test")]
    headers += [("ce_type", event.type.encode()), ("ce_time", b"2026-11-24T00:00:00Z"), ("ce_subject", b"run_1")]
    record = OutgoingRecord(
        topic="threadworks.run-commands.v1",
        key=b"thread_1",
        value=b'{"run": {"id": "run_1", "thread_id": "thread_1"}}',
        headers=tuple(headers),
    )
    assert await stage.bus.publisher.publish([record]) == [None]
    run = await stage.start_run()
    await stage.until_status(run, "completed")
