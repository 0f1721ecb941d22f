"""`GET /v1/events` of whole installations, on Kafka and without it: what was missed comes, once, and to its owner."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from installation import Installation
from openai import AsyncOpenAI
from threadworks import demo

PATIENCE = 60.0
LIFE = [
    "run.queued",
    "run.in_progress",
    "run-step.created",
    "run.awaiting_tools",
    "run-step.completed",
    "run.queued",
    "run.in_progress",
    "run-step.created",
    "message.completed",
    "run-step.completed",
    "run.completed",
]


class Subscriber:
    """One connection to the feed."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()
        self.last_id: str | None = None

    async def block(self) -> dict[str, str]:
        """Return the next event with its fields, as a client reads them."""
        block: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            async for line in self._lines:
                if not line and block:
                    self.last_id = block.get("id", self.last_id)
                    return block
                name, _, value = line.partition(": ")
                if name:
                    block[name] = value
        raise AssertionError("the stream has ended")

    async def rest(self) -> list[str]:
        """Return what comes to the end, without comments."""
        async with asyncio.timeout(PATIENCE):
            return [line async for line in self._lines if not line.startswith(":")]

    async def event(self) -> Any:
        while True:
            block = await self.block()
            if "data" in block:
                event = orjson.loads(block["data"])
                assert block["event"] == event["type"]
                return event


@asynccontextmanager
async def feed(
    installation: Installation, key: str, last: str | None = None, **query: Any
) -> AsyncIterator[httpx.Response]:
    headers = {"authorization": f"Bearer {key}"} | ({} if last is None else {"last-event-id": last})
    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(10, read=PATIENCE)) as client,
        client.stream("GET", f"{installation.url}/events", headers=headers, params=query) as response,
    ):
        assert response.status_code == 200
        yield response


@asynccontextmanager
async def subscribed(
    installation: Installation, key: str, last: str | None = None, **query: Any
) -> AsyncIterator[Subscriber]:
    async with feed(installation, key, last, **query) as response:
        subscriber = Subscriber(response)
        assert set(await subscriber.block()) == {"id"}, "it says where it begins"
        yield subscriber


async def ask(client: AsyncOpenAI) -> Any:
    return await client.beta.threads.create_and_run_poll(
        assistant_id=demo.ASSISTANT,
        thread={"messages": [{"role": "user", "content": "gib mir die termine von moodle"}]},
    )


def new_key(installation: Installation, tenant: str, *scopes: str) -> str:
    """What `threadworks keys create` prints for an operator of this installation."""
    command = [sys.executable, "-m", "threadworks", "keys", "create", "--tenant", tenant]
    for scope in scopes:
        command += ["--scope", scope]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("THREADWORKS_")}
    environment["THREADWORKS_DATA_DIR"] = str(installation.data_dir)
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


async def test_a_subscriber_that_was_cut_off_misses_and_repeats_nothing(installation: Installation) -> None:
    client = installation.client()
    events: list[Any] = []
    async with subscribed(installation, demo.KEY) as first:
        runs = [await ask(client)]
        while len(events) < 5:
            events.append(await first.event())
        last = first.last_id
    runs.append(await ask(client))
    # Cut off after each event: every id is a place to go on from.
    for _ in range(4):
        async with subscribed(installation, demo.KEY, last) as again:
            events.append(await again.event())
            last = again.last_id
    threads = {run.thread_id for run in runs}
    async with subscribed(installation, demo.KEY, last) as rest:
        runs.append(await ask(client))
        threads.add(runs[-1].thread_id)
        while sum(event["type"] == "threadworks.run.completed.v1" for event in events) < 3:
            events.append(await rest.event())
    # Another process may publish an event twice under its id; nothing comes twice otherwise.
    known = {event["id"]: event for event in events}
    assert {event["data"]["message"]["thread_id"] for event in known.values() if "thread" in event["data"]} == threads
    for run in runs:
        of_run = [e for e in known.values() if e.get("correlationid") == run.id and "thread" not in e["data"]]
        assert [e["type"].removeprefix("threadworks.").removesuffix(".v1") for e in of_run] == LIFE
        assert [e["seq"] for e in of_run] == list(range(1, len(LIFE) + 1))
        assert {e["tenant"] for e in of_run} == {demo.TENANT}
    assert len(known) == 3 * (len(LIFE) + 1)


async def test_filters(installation: Installation) -> None:
    client = installation.client()
    thread = await client.beta.threads.create()
    query = {"type": ["run.completed", "message.*"], "thread_id": thread.id}
    async with subscribed(installation, demo.KEY, **query) as subscriber:
        await ask(client)
        await client.beta.threads.messages.create(thread.id, role="user", content="gib mir die termine von moodle")
        run = await client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=demo.ASSISTANT)
        told = [await subscriber.event() for _ in range(3)]
    assert [event["type"] for event in told] == [
        "threadworks.message.created.v1",
        "threadworks.message.completed.v1",
        "threadworks.run.completed.v1",
    ]
    assert told[-1]["data"]["run"]["id"] == run.id


async def test_two_tenants_hear_of_themselves_alone(installation: Installation) -> None:
    tenant = f"library-{installation.mode}"
    key, follows = new_key(installation, tenant, "api"), new_key(installation, tenant, "events")
    ours, theirs = installation.client(), installation.client(key)
    async with subscribed(installation, follows) as library, subscribed(installation, demo.KEY) as demonstration:
        run = await ask(ours)
        thread = await theirs.beta.threads.create()
        message = await theirs.beta.threads.messages.create(thread.id, role="user", content="are you open today?")
        event = await library.event()
        assert (event["tenant"], event["data"]["message"]["id"]) == (tenant, message.id)
        heard = []
        while not heard or heard[-1]["type"] != "threadworks.run.completed.v1":
            heard.append(await demonstration.event())
        assert {event["tenant"] for event in heard} == {demo.TENANT}
        assert heard[-1]["data"]["run"]["id"] == run.id
        place = library.last_id
    async with httpx.AsyncClient(base_url=installation.url, timeout=PATIENCE) as client:
        for other, status in ((demo.KEY, 400), (key, 401)):
            headers = {"authorization": f"Bearer {other}", "last-event-id": str(place)}
            assert (await client.get("/events", headers=headers)).status_code == status


@pytest.mark.parametrize("mode", ["run", "up"])
async def test_subscribers_hold_up_no_stop_and_go_on_after_the_start(mode: str, tmp_path: Path) -> None:
    installation = Installation(mode, tmp_path)
    try:
        await installation.start()
        async with subscribed(installation, demo.KEY) as before:
            await ask(installation.client())
            events = [await before.event()]
            last = before.last_id
            while events[-1]["type"] != "threadworks.run.completed.v1":
                events.append(await before.event())
            stopping = asyncio.create_task(installation.stop())
            # The stream comes to its end in order: nothing but comments, and no broken connection.
            assert await before.rest() == []
            # Streams of runs may take a minute; these are told to go elsewhere at once.
            async with asyncio.timeout(40):
                assert await stopping == 0
        installation = Installation(mode, tmp_path)
        await installation.start()
        if mode == "up":
            async with subscribed(installation, demo.KEY, last) as after:
                again = [await after.event() for _ in events[1:]]
            assert {event["id"] for event in again} == {event["id"] for event in events[1:]}
        else:
            async with feed(installation, demo.KEY, last) as response:
                assert (await Subscriber(response).block())["event"] == "gap", "nothing outlives this process"
    finally:
        await installation.stop()
