"""The load generator: a fixed number of jobs, so many in flight, as one process of its own.

`python bench/load.py threadworks|bare URL JOBS IN_FLIGHT` prints one JSON object. A job of Threadworks is one
create-thread-and-run, polls until it ended, and one message list; of the bare pipeline, one POST and polls.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import orjson
import uvloop
from threadworks import demo

QUESTION = "was ist java in 3 worten"
FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.002, 0.2
WARM_UP_JOBS = 50

Job = Callable[[aiohttp.ClientSession, int], Awaitable[None]]


class JobFailed(Exception):
    """A job did not end as it must: a benchmark of failures is worth nothing."""


async def _until_ended(fetch: Callable[[], Awaitable[str]]) -> None:
    delay = FIRST_POLL_SECONDS
    while True:
        await asyncio.sleep(delay)
        status = await fetch()
        if status == "completed":
            return
        if status not in {"queued", "in_progress"}:
            raise JobFailed(f"the run ended as {status}")
        delay = min(delay * 2, LAST_POLL_SECONDS)


async def _json(response: aiohttp.ClientResponse) -> dict:  # type: ignore[type-arg]
    body = await response.read()
    if response.status != 200:
        raise JobFailed(f"HTTP {response.status}: {body[:300]!r}")
    parsed: dict = orjson.loads(body)  # type: ignore[type-arg]
    return parsed


def threadworks_job(url: str) -> Job:
    headers = {"Authorization": f"Bearer {demo.KEY}", "Content-Type": "application/json"}
    body = orjson.dumps(
        {"assistant_id": demo.ASSISTANT, "thread": {"messages": [{"role": "user", "content": QUESTION}]}}
    )

    async def job(session: aiohttp.ClientSession, _: int) -> None:
        async with session.post(f"{url}/threads/runs", data=body, headers=headers) as response:
            run = await _json(response)
        thread = f"{url}/threads/{run['thread_id']}"

        async def status() -> str:
            async with session.get(f"{thread}/runs/{run['id']}", headers=headers) as response:
                return str((await _json(response))["status"])

        await _until_ended(status)
        async with session.get(f"{thread}/messages", headers=headers) as response:
            messages = (await _json(response))["data"]
        if [message["role"] for message in messages] != ["assistant", "user"]:
            raise JobFailed(f"the thread holds {len(messages)} messages")

    return job


def bare_job(url: str) -> Job:
    async def job(session: aiohttp.ClientSession, number: int) -> None:
        body = orjson.dumps({"thread_id": f"thread_{number}", "content": QUESTION})
        async with session.post(f"{url}/runs", data=body) as response:
            run = await _json(response)

        async def status() -> str:
            async with session.get(f"{url}/runs/{run['id']}") as response:
                return str((await _json(response))["status"])

        await _until_ended(status)

    return job


async def measure(job: Job, jobs: int, in_flight: int) -> dict[str, float]:
    latencies: list[float] = []

    async def timed(session: aiohttp.ClientSession, number: int) -> None:
        began = time.perf_counter()
        await job(session, number)
        latencies.append(time.perf_counter() - began)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:
        await asyncio.gather(*(timed(session, -number) for number in range(1, min(WARM_UP_JOBS, in_flight * 5) + 1)))
        latencies.clear()
        left = iter(range(jobs))

        async def worker() -> None:
            for number in left:
                await timed(session, number)

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        seconds = time.perf_counter() - began
    latencies.sort()
    return {
        "runs_per_second": jobs / seconds,
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1e3,
    }


def main() -> None:
    target, url, jobs, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    job = threadworks_job(url) if target == "threadworks" else bare_job(url)
    sys.stdout.write(orjson.dumps(uvloop.run(measure(job, jobs, in_flight))).decode() + "\n")


if __name__ == "__main__":
    main()
