"""Processes that are killed in the middle of their work, and a Kafka that is away: every run still ends well."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from driven_where import claims_of, driver_of
from held_model import HeldModel
from installation import Installation, StartUp
from moodle_simulator.server import MoodleSimulator
from openai import AsyncOpenAI, InternalServerError
from openai.types.beta.threads import Run
from threadworks import demo
from threadworks.local_servers import LocalKafka, LocalPostgres

QUESTION = "gib mir die termine von moodle"


async def ask(client: AsyncOpenAI) -> Run:
    return await client.beta.threads.create_and_run(
        assistant_id=demo.ASSISTANT, thread={"messages": [{"role": "user", "content": QUESTION}]}
    )


async def ended(client: AsyncOpenAI, run: Run, seconds: float) -> Run:
    async with asyncio.timeout(seconds):
        return await client.beta.threads.runs.poll(run.id, thread_id=run.thread_id)


async def completed(client: AsyncOpenAI, run: Run, seconds: float) -> Run:
    done = await ended(client, run, seconds)
    assert (done.status, done.last_error) == ("completed", None)
    return done


async def check_answered_once(client: AsyncOpenAI, run: Run) -> None:
    """One answer with the dates, one tool call with one output."""
    messages = (await client.beta.threads.messages.list(run.thread_id)).data
    assert [message.role for message in messages] == ["assistant", "user"]
    assert messages[0].content[0].type == "text"
    assert "25.10." in messages[0].content[0].text.value
    steps = (await client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc")).data
    assert [step.type for step in steps] == ["tool_calls", "message_creation"]
    assert steps[0].step_details.type == "tool_calls"
    assert len(steps[0].step_details.tool_calls) == 1


async def test_an_orchestrator_is_killed_in_the_middle_of_a_model_stream(
    start_up: StartUp, model: HeldModel, moodle: MoodleSimulator
) -> None:
    installation = await start_up()
    client = installation.client()
    await model.script({"after_tools": True, "steps": [{"answer": 2}, {"gate": "middle"}, {"answer": True}]})
    run = await ask(client)
    await model.wait(gate="middle", timeout=60)
    victim = driver_of(installation, run.id)
    killed = datetime.now(UTC)
    victim.kill()
    await model.wait(client_gone=1, timeout=30)
    done = await ended(client, run, 60)
    assert done.status == "completed"
    assert done.started_at is not None
    claims = claims_of(installation, run.id)
    assert [claim["attempt"] for claim in claims] == [1, 2, 3]
    started_again = datetime.fromisoformat(claims[-1]["timestamp"])
    assert started_again - killed < timedelta(seconds=15), "one lease, one sweep and one claim"
    await check_answered_once(client, run)
    assert moodle.script.calls["core_course_get_contents"] == 1, "the answered tool call was not repeated"


async def test_the_moodle_tool_is_killed_while_a_call_is_out(start_up: StartUp, moodle: MoodleSimulator) -> None:
    installation = await start_up()
    client = installation.client()
    moodle.script.hold()
    run = await ask(client)
    async with asyncio.timeout(60):
        await moodle.script.called("core_course_get_contents", 1)
    (victim,) = installation.processes("moodle_tool")
    victim.kill()
    await moodle.script.release()
    done = await ended(client, run, 60)
    assert done.status == "completed"
    await check_answered_once(client, run)


async def test_a_frozen_orchestrator_wakes_after_its_run_went_on_without_it(
    start_up: StartUp, model: HeldModel, moodle: MoodleSimulator
) -> None:
    installation = await start_up()
    client = installation.client()
    await model.script({"after_tools": True, "steps": [{"answer": 2}, {"gate": "middle"}, {"answer": True}]})
    run = await ask(client)
    await model.wait(gate="middle", timeout=60)
    zombie = driver_of(installation, run.id)
    zombie.suspend()
    done = await ended(client, run, 60)
    assert done.status == "completed"
    before = (await client.beta.threads.messages.list(run.thread_id)).data
    zombie.resume()
    await model.release("middle")
    after = await ask(client)  # both orchestrators work again, and the zombie has had its chance to write
    await completed(client, after, 60)
    assert (await client.beta.threads.messages.list(run.thread_id)).data == before
    await check_answered_once(client, run)
    assert moodle.script.calls["core_course_get_contents"] == 2


async def test_a_gateway_is_killed_right_after_its_reply(start_up: StartUp) -> None:
    installation = await start_up()
    for _ in range(5):
        client = installation.client()
        run = await ask(client)
        (victim,) = installation.processes("gateway")
        victim.kill()
        # The listening socket is the supervisor's: the next connection waits in it for the next gateway.
        await completed(installation.client(), run, 60)
        await check_answered_once(installation.client(), run)


async def test_postgres_is_away_for_fifteen_seconds(start_up: StartUp, server_directory: Path) -> None:
    postgres = LocalPostgres(server_directory / "chaos-postgres")
    await postgres.start()
    try:
        installation = await start_up(THREADWORKS_DATABASE_URL=postgres.url())
        client = installation.client()
        await completed(client, await ask(client), 60)
        running = [await ask(client) for _ in range(5)]
        await postgres.kill()
        refused = 0
        came_back = asyncio.create_task(_start_again(postgres, 15))
        while not came_back.done():
            try:
                await ask(client)
            except InternalServerError as error:
                assert error.status_code == 503
                assert error.body is not None
                refused += 1
            await asyncio.wait({came_back}, timeout=1)
        await came_back
        assert refused > 3
        for run in running:
            await completed(client, run, 120)
            await check_answered_once(client, run)
        for process in [*installation.processes("run_orchestrator"), *installation.processes("moodle_tool")]:
            assert process.create_time() < time.time() - 15, "nobody had to be started again"
    finally:
        for left in start_up.started:
            await left.stop()
        await postgres.stop()


async def test_kafka_is_away_for_twenty_seconds(start_up: StartUp, own_kafka: LocalKafka) -> None:
    installation = await start_up(THREADWORKS_KAFKA_BOOTSTRAP=own_kafka.bootstrap_servers)
    client = installation.client()
    before = await ask(client)
    await completed(client, before, 60)
    await own_kafka.kill()
    came_back = asyncio.create_task(_start_again(own_kafka, 20))
    runs = [await ask(client) for _ in range(5)]
    while not came_back.done():
        runs.append(await ask(client))
        await asyncio.wait({came_back}, timeout=2)
        assert await refused(installation) == set(), "an outage of Kafka must not take every process away"
    await came_back
    assert len(runs) > 10
    for run in runs:
        await completed(client, run, 120)
        await check_answered_once(client, run)


async def refused(installation: Installation) -> set[str]:
    """The services that say they are not ready, or not alive."""
    said = set()
    async with httpx.AsyncClient(timeout=5) as http:
        for port, service in installation.ops_ports().items():
            for path in ("readyz", "healthz"):
                if (await http.get(f"http://127.0.0.1:{port}/{path}")).status_code != httpx.codes.OK:
                    said.add(f"{service} {path}")
    return said


async def _start_again(server: LocalKafka | LocalPostgres, seconds: float) -> None:
    await asyncio.sleep(seconds)  # the outage itself
    await server.start()
