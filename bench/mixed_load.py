"""Runs of all kinds, until it is told to stop: plain ones that are polled, streamed ones, and ones that call a tool.

`python bench/mixed_load.py URL IN_FLIGHT` works until SIGTERM, ten minutes at most, finishes what it has begun, and
prints one JSON object. No request is tried again: whatever a client would notice is counted.
"""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import uvloop
from threadworks import demo

HEADERS = {"Authorization": f"Bearer {demo.KEY}", "Content-Type": "application/json"}
PLAIN, COURSE = "was ist java in 3 worten", "was sind die termine für diesen kurs"
ENDED = {"completed", "failed", "cancelled", "expired", "incomplete"}
LOST_SECONDS = 120.0
"""A run that has not ended by then is lost: ten times as long as a dead worker's run waits."""

LONGEST_SECONDS = 600.0
"""Whoever was to stop it may be gone."""

Job = Callable[["Client"], Awaitable[None]]


class Failed(Exception):
    """Something a client would notice; the text is what it is counted as."""


class Client:
    """Requests, and what was wrong with them."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        try:
            async with self.session.request(
                method, self.url + path, headers=HEADERS, data=None if body is None else orjson.dumps(body)
            ) as response:
                text = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Failed(f"failed request: {type(error).__name__}") from error
        if response.status != 200:
            raise Failed(f"failed request: HTTP {response.status}")
        return orjson.loads(text)

    async def check_thread(self, thread_id: str, run_id: str) -> None:
        """One question, one answer, one run."""
        messages = (await self.request("GET", f"/threads/{thread_id}/messages"))["data"]
        if [message["role"] for message in messages] != ["assistant", "user"]:
            raise Failed(f"doubled run: {len(messages)} messages")
        steps = (await self.request("GET", f"/threads/{thread_id}/runs/{run_id}/steps?order=asc"))["data"]
        if [step["type"] for step in steps if step["status"] == "completed"].count("message_creation") != 1:
            raise Failed("doubled run: more than one answer")


def new_run(question: str, **fields: Any) -> dict[str, Any]:
    return {"assistant_id": demo.ASSISTANT, "thread": {"messages": [{"role": "user", "content": question}]}, **fields}


async def polled(client: Client, question: str = PLAIN) -> None:
    run = await client.request("POST", "/threads/runs", new_run(question))
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    try:
        async with asyncio.timeout(LOST_SECONDS):
            while run["status"] not in ENDED:
                await asyncio.sleep(0.05)
                run = await client.request("GET", path)
    except TimeoutError:
        raise Failed(f"lost run: still {run['status']}") from None
    if run["status"] != "completed":
        raise Failed(f"lost run: {run['status']}")
    await client.check_thread(run["thread_id"], run["id"])


async def with_a_tool(client: Client) -> None:
    await polled(client, COURSE)


async def streamed(client: Client) -> None:
    text, message, run, done, waiting = "", None, None, False, b""
    try:
        async with (
            asyncio.timeout(LOST_SECONDS),
            client.session.post(
                f"{client.url}/threads/runs", headers=HEADERS, data=orjson.dumps(new_run(PLAIN, stream=True))
            ) as response,
        ):
            if response.status != 200:
                raise Failed(f"failed request: HTTP {response.status}")
            async for arrived in response.content.iter_any():
                *events, waiting = (waiting + arrived).split(b"\n\n")
                for event in events:
                    fields = dict(
                        line.split(b": ", 1) for line in event.split(b"\n") if b": " in line and line[:1] != b":"
                    )
                    name, data = fields.get(b"event", b"").decode(), fields.get(b"data", b"")
                    done = done or name == "done"
                    if name == "thread.run.created":
                        run = orjson.loads(data)
                    elif name == "thread.message.delta":
                        text += orjson.loads(data)["delta"]["content"][0]["text"]["value"]
                    elif name == "thread.message.completed":
                        message = orjson.loads(data)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Failed(f"broken stream: {type(error).__name__}") from error
    if not done or message is None or run is None:
        raise Failed("broken stream: no end")
    if message["content"][0]["text"]["value"] != text:
        raise Failed("broken stream: its pieces are not its text")
    await client.check_thread(run["thread_id"], run["id"])


JOBS: dict[str, Job] = {"polled": polled, "streamed": streamed, "with a tool": with_a_tool}
MIX = ("polled", "streamed", "polled", "streamed", "with a tool")


async def work(url: str, in_flight: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.call_later(LONGEST_SECONDS, stopping.set)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        client = Client(session, url)

        async def worker(number: int) -> None:
            while not stopping.is_set():
                kind = MIX[number % len(MIX)]
                number += 1
                try:
                    await JOBS[kind](client)
                    seen[kind] += 1
                except Failed as failure:
                    seen[str(failure)] += 1
                    await asyncio.sleep(1)

        await asyncio.gather(*(worker(number) for number in range(in_flight)))
    return seen


def main() -> None:
    seen = uvloop.run(work(sys.argv[1], int(sys.argv[2])))
    sys.stdout.write(orjson.dumps(seen).decode() + "\n")


if __name__ == "__main__":
    main()
