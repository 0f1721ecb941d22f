"""Every metric in the list of the run-orchestrator is shown, and changes when what it counts happens."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from event_bus import OutgoingRecord
from observability import LOOP_LAG, Heartbeat
from observability.process_metrics import CONSUMED, CONSUMER_LAG, DEAD_LETTERS
from run_engine.outbox.metrics import BACKLOG, RELAYED, RUNS_ENDED
from run_engine.store.metrics import (
    CONNECTIONS,
    CONNECTIONS_LIMIT,
    OUTBOX_AGE,
    OUTBOX_DEPTH,
    OUTBOX_REJECTED,
    QUEUE_AGE,
    RUNS,
)
from run_orchestrator.adapters.metrics import (
    CLAIM_LATENCY,
    DRIVEN,
    FIRST_TOKEN,
    METRICS,
    MODEL,
    PLACES,
    TOKENS,
    TOOL_LATENCY,
)
from scraped_metrics import Scrape, scrape
from service_process.bus_metrics import show_bus

COMMANDS = {"group": "run-orchestrator", "topic": "threadworks.messages.v1"}
TOOL = {"steps": [{"tool_call": {"name": "get_moodle_course_content"}}]}


@pytest.fixture
def scraped(stage: Any) -> Callable[[], Any]:
    show_bus(stage.bus, stage.meters)

    async def now() -> Scrape:
        stage.meters._refreshed = None  # as if a second had passed since the last one
        return await scrape(stage.meters)

    return now


async def until(scraped: Callable[[], Any], condition: Callable[[Scrape], bool]) -> Scrape:
    async with asyncio.timeout(20):
        while not condition(found := await scraped()):
            await asyncio.sleep(0.02)
    return found


async def test_every_metric_of_the_list_is_shown_from_the_start(stage: Any, scraped: Callable[[], Any]) -> None:
    Heartbeat(stage.meters)
    await stage.orchestrator()
    found = await scraped()
    assert found.missing(METRICS) == set()
    assert found.strangers(METRICS) == set()


async def test_a_run_with_a_tool_is_seen_from_the_queue_to_its_end(stage: Any, scraped: Callable[[], Any]) -> None:
    await stage.announce("moodle")
    await stage.orchestrator(tool_services="moodle", places=7)
    await stage.model.script(TOOL, {"before": [{"gate": "g"}]})
    before = await until(scraped, lambda found: found.value(PLACES) == 7)
    assert before.value(DRIVEN) == before.value(CLAIM_LATENCY) == before.value(TOOL_LATENCY) == 0
    run = await stage.start_run(functions=["get_moodle_course_content"])
    (asked,) = await stage.calls_of(run, 1)
    parked = await until(scraped, lambda found: found.value(RUNS, status="awaiting_tools") == 1)
    assert parked.value(CLAIM_LATENCY) == parked.value(MODEL, outcome="answered") == 1
    await stage.answer(asked, "dates")
    await stage.model.wait(gate="g", waiting=1)
    driven = await scraped()
    assert driven.value(DRIVEN) == driven.value(RUNS, status="in_progress") == 1
    await stage.model.release("g")
    ended = await stage.until_status(run, "completed")
    after = await until(
        scraped, lambda found: found.value(RUNS_ENDED, status="completed", reason="none") and not found.value(DRIVEN)
    )
    assert after.value(CLAIM_LATENCY) == 2, "queued twice: at its start and after its tool"
    assert 0 < after.value(CLAIM_LATENCY, "_sum") < 20
    assert after.value(FIRST_TOKEN) == after.value(MODEL, outcome="answered") == 2
    assert 0 < after.value(FIRST_TOKEN, "_sum") <= after.value(MODEL, "_sum")
    assert after.value(TOKENS, kind="prompt") == ended.usage.prompt_tokens > 0
    assert after.value(TOKENS, kind="completion") == ended.usage.completion_tokens > 0
    assert after.value(TOOL_LATENCY, service="moodle", outcome="completed") == 1
    assert 0 < after.value(TOOL_LATENCY, "_sum") < 20
    assert after.value(CONSUMED, **COMMANDS, outcome="handled") >= 1
    assert after.value(CONSUMED, group="run-orchestrator-tool-results", outcome="handled") == 1
    assert after.value(RELAYED, type="threadworks.run.completed.v1", outcome="published") == 1
    for metric in (RUNS, QUEUE_AGE, CONSUMER_LAG, DEAD_LETTERS, BACKLOG, OUTBOX_DEPTH, OUTBOX_AGE, OUTBOX_REJECTED):
        assert after.value(metric) == 0, metric.name
    assert after.value(CONNECTIONS_LIMIT) == 5
    assert after.value(CONNECTIONS) >= 1


async def test_refused_and_forgotten_calls_and_failing_models(stage: Any, scraped: Callable[[], Any]) -> None:
    await stage.announce("moodle")
    await stage.announce("slow", 0.2, "slow_function")
    await stage.orchestrator(tool_services="moodle,slow", model_tries=1)
    await stage.sql("UPDATE tenants SET tool_services = '{moodle,slow}'")
    await stage.model.script(TOOL, {"status": 401})
    run = await stage.start_run(functions=["get_moodle_course_content"])
    (asked,) = await stage.calls_of(run, 1)
    await stage.refuse(asked, "access_denied", "No.")
    await stage.until_status(run, "failed")
    found = await until(scraped, lambda found: found.value(RUNS_ENDED) == 1)
    assert found.value(TOOL_LATENCY, service="moodle", outcome="failed") == 1
    assert found.value(RUNS_ENDED, status="failed", reason="server_error") == 1
    assert found.value(MODEL) == 2
    assert found.labels(MODEL, "outcome") == {"answered", "refused"}
    await stage.model.script({"steps": [{"tool_call": {"name": "slow_function"}}]})
    await stage.start_run(functions=["slow_function"])
    await until(scraped, lambda found: found.value(TOOL_LATENCY, service="slow", outcome="timed_out") == 1)


async def test_the_queue_is_old_while_all_places_are_taken_and_not_after(
    stage: Any, scraped: Callable[[], Any]
) -> None:
    """The signal to scale on: right while busy, whoever has to wait and why, and zero when idle."""
    await stage.orchestrator(places=1)
    await stage.model.script({"before": [{"gate": "g"}], "times": None})
    first = await stage.start_run()
    await stage.model.wait(gate="g", waiting=1)
    second = await stage.start_run()
    waiting = await until(scraped, lambda found: found.value(QUEUE_AGE) > 0.2)
    assert waiting.value(RUNS, status="queued") == waiting.value(DRIVEN) == waiting.value(PLACES) == 1
    assert waiting.value(CONSUMER_LAG, **COMMANDS) == 1, "back-pressure leaves the wake-up where its lag is seen"
    await stage.model.release("g")
    for run in (first, second):
        await stage.until_status(run, "completed")
    idle = await until(scraped, lambda found: found.value(CONSUMER_LAG) == 0)
    assert idle.value(QUEUE_AGE) == idle.value(RUNS) == 0


async def test_rubbish_is_counted_as_dead_letters(stage: Any, scraped: Callable[[], Any]) -> None:
    await stage.orchestrator()
    rubbish = OutgoingRecord(topic=COMMANDS["topic"], key=b"k", value=b"rubbish")
    assert await stage.bus.publisher.publish([rubbish]) == [None]
    found = await until(scraped, lambda found: found.value(DEAD_LETTERS, **COMMANDS) == 1)
    assert found.value(CONSUMED, **COMMANDS, outcome="dead_lettered") == 1


async def test_an_event_that_can_never_be_published(stage: Any, scraped: Callable[[], Any]) -> None:
    await stage.orchestrator()
    (row,) = await stage.sql("SELECT id FROM workers WHERE role = 'run-orchestrator'")
    await stage.sql(
        "INSERT INTO outbox (owner, producer, tenant_id, thread_id, type, subject, data, created_at)"
        " VALUES ($1, $1, 'tenant', 'thread_1', 'threadworks.run.requested.v1', 'run_1', '{}', clock_timestamp())",
        row["id"],
    )
    found = await until(scraped, lambda found: found.value(OUTBOX_REJECTED) == 1)
    assert found.value(RELAYED, type="threadworks.run.requested.v1", outcome="rejected") == 1


async def test_the_event_loop(stage: Any, scraped: Callable[[], Any]) -> None:
    heartbeat = Heartbeat(stage.meters, pause=lambda _: asyncio.sleep(0))
    heartbeat.start()
    await until(scraped, lambda found: found.value(LOOP_LAG) > 0)
    await heartbeat.stop()
