"""The official SDK, unmodified, against a gateway that listens on a socket.

The orchestrator's part is played by the engine's own worker.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from engine_world import answer, call, new_id
from event_bus.in_process import InProcessBus
from gateway.bootstrap import build
from gateway.entrypoints.service import Gateway
from gateway.settings import GatewaySettings
from run_engine.domain.objects import Usage


@pytest_asyncio.fixture(scope="session")
async def gateway(settings: GatewaySettings) -> AsyncIterator[Gateway]:
    bus = InProcessBus()
    await bus.start()
    service = build(settings, bus)
    await service.start()
    yield service
    await service.stop()
    await bus.stop()


@pytest_asyncio.fixture
async def sdk(gateway: Gateway, caller: Any, facts: Any) -> AsyncIterator[openai.AsyncOpenAI]:
    http = httpx.AsyncClient(event_hooks={"response": [facts.sees_async]}, timeout=30)
    url = f"http://127.0.0.1:{gateway.port}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key=caller.key, http_client=http, max_retries=0) as client:
        yield client


@pytest.fixture
def answering(caller: Any) -> Any:
    """Drives a run as soon as it is there: with calls of the client first, if there are any."""

    async def drive(run_id: str, *calls: Any) -> None:
        claimed = await claim(run_id)
        if calls:
            await caller.worker.driving.park(
                claimed, new_id("step"), calls, Usage(prompt_tokens=1, completion_tokens=1)
            )
            claimed = await claim(run_id)
        await caller.worker.driving.finish(claimed, answer("the answer"))

    async def claim(run_id: str) -> Any:
        while True:
            claimed = await caller.worker.driving.claim(caller.tenant, run_id)
            if claimed is not None:
                return claimed
            await asyncio.sleep(0.01)

    return drive


async def test_the_whole_surface(sdk: openai.AsyncOpenAI, facts: Any, answering: Any) -> None:
    facts.operations.clear()
    beta = sdk.beta
    assistant = await beta.assistants.create(model="demo", name="Ada", tools=[{"type": "file_search"}])
    assert (await beta.assistants.retrieve(assistant.id)) == assistant
    assert (await beta.assistants.update(assistant.id, name="Eva")).name == "Eva"
    assert [each.id async for each in beta.assistants.list(limit=1)] == [assistant.id]

    thread = await beta.threads.create(messages=[{"role": "user", "content": "hello"}])
    assert (await beta.threads.retrieve(thread.id)) == thread
    assert (await beta.threads.update(thread.id, metadata={"a": "b"})).metadata == {"a": "b"}
    message = await beta.threads.messages.create(thread.id, role="user", content="again")
    assert (await beta.threads.messages.retrieve(message.id, thread_id=thread.id)) == message
    assert len([each async for each in beta.threads.messages.list(thread.id, limit=1)]) == 2
    changed = await beta.threads.messages.update(message.id, thread_id=thread.id, metadata={"seen": "yes"})
    assert changed == message.model_copy(update={"metadata": {"seen": "yes"}})
    assert (await beta.threads.messages.delete(message.id, thread_id=thread.id)).deleted

    run = await beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    asked = call()
    driving = asyncio.create_task(answering(run.id, asked))
    polled = await beta.threads.runs.poll(run.id, thread_id=thread.id)
    assert polled.status == "requires_action"
    assert polled.required_action is not None
    assert [each.id for each in polled.required_action.submit_tool_outputs.tool_calls] == [asked.id]
    done = await beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread.id, tool_outputs=[{"tool_call_id": asked.id, "output": "x"}]
    )
    await driving
    assert (done.status, done.usage and done.usage.total_tokens) == ("completed", 16)
    assert (await beta.threads.runs.update(run.id, thread_id=thread.id, metadata={"c": "d"})).metadata == {"c": "d"}
    assert [each.id async for each in beta.threads.runs.list(thread.id)] == [run.id]
    steps = [each async for each in beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc")]
    assert [each.type for each in steps] == ["tool_calls", "message_creation"]
    step = await beta.threads.runs.steps.retrieve(steps[0].id, run_id=run.id, thread_id=thread.id)
    assert step == steps[0]

    other = await beta.threads.create_and_run(assistant_id=assistant.id)
    assert (await beta.threads.runs.cancel(other.id, thread_id=other.thread_id)).status == "cancelled"
    assert (await beta.threads.delete(thread.id)).deleted
    assert (await beta.assistants.delete(assistant.id)).deleted

    file = await sdk.files.create(file=("a.txt", b"abc"), purpose="assistants")
    assert (await sdk.files.retrieve(file.id)) == file
    assert [each.id async for each in sdk.files.list()] == [file.id]
    assert (await sdk.files.content(file.id)).content == b"abc"
    assert (await sdk.files.delete(file.id)).deleted

    found: Any = await sdk.get("/threads", cast_to=object, options={"params": {"metadata[a]": "b"}})
    assert [each["id"] for each in found["data"]] == []
    models = [each async for each in sdk.models.list()]
    assert [each.id for each in models] == ["demo"]
    assert (await sdk.models.retrieve("demo")) == models[0]

    prefixes = ("/assistants", "/threads", "/files", "/models")
    known = {each for each in facts.known_operations() if each[1].startswith(prefixes)}
    assert facts.operations == known


async def test_create_and_poll(sdk: openai.AsyncOpenAI, caller: Any, answering: Any) -> None:
    thread = await sdk.beta.threads.create(messages=[{"role": "user", "content": "hello"}])
    polling = asyncio.create_task(
        sdk.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=await caller.assistant())
    )
    while not (runs := (await sdk.beta.threads.runs.list(thread.id)).data):
        await asyncio.sleep(0.01)
    await answering(runs[0].id)
    run = await polling
    assert run.status == "completed"
    messages = (await sdk.beta.threads.messages.list(thread.id, run_id=run.id)).data
    assert [each.content[0].text.value for each in messages] == ["the answer"]  # type: ignore[union-attr]


async def test_errors_are_the_sdks_own_kinds(sdk: openai.AsyncOpenAI, gateway: Gateway, caller: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="No thread found with id 'thread_x'"):
        await sdk.beta.threads.retrieve("thread_x")
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.beta.assistants.create(model="demo", temperature=7)
    assert (caught.value.code, caught.value.param, caught.value.type) == (
        "decimal_above_max_value",
        "temperature",
        "invalid_request_error",
    )
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'verbosity'"):
        await sdk.beta.assistants.create(model="demo", extra_body={"verbosity": "low"})
    async with openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{gateway.port}/v1", api_key="sk-somebody-elses-key", max_retries=0
    ) as stranger:
        with pytest.raises(openai.AuthenticationError, match=r"Incorrect API key provided: sk-…-key\."):
            await stranger.beta.threads.create()
