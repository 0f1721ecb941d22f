"""Streams runs of the paced model and tells how old the tokens are that arrive, as one process of its own.

`python bench/stream_load.py URL STREAMS SECONDS TOKENS_PER_SECOND TOKENS` prints one JSON object. So many streams are
open at once; each that ends is followed by another one until the time is over. Times are of the machine's one clock.
"""

import asyncio
import sys
import time

import aiohttp
import orjson
import uvloop
from threadworks import demo

DELTA = b"event: thread.message.delta\n"
HEADERS = {"Authorization": f"Bearer {demo.KEY}", "Content-Type": "application/json"}


class Streams:
    """What all streams saw. Times in milliseconds."""

    def __init__(self) -> None:
        self.first: list[float] = []
        self.hops: list[float] = []
        self.tokens = 0
        self.complete = 0
        self.broken = 0

    async def one(self, session: aiohttp.ClientSession, url: str, body: bytes, tokens: int) -> None:
        began, seen, done, waiting = time.monotonic_ns(), 0, False, b""
        async with session.post(f"{url}/threads/runs", data=body, headers=HEADERS) as response:
            if response.status != 200:
                raise SystemExit(f"HTTP {response.status}: {await response.text()}")
            async for arrived in response.content.iter_any():
                now = time.monotonic_ns()
                *events, waiting = (waiting + arrived).split(b"\n\n")
                for event in events:
                    if event.lstrip().startswith(b"event: done"):
                        done = True
                    if DELTA not in event:
                        continue
                    data = event.partition(b"data: ")[2].partition(b"\n")[0]
                    text = orjson.loads(data)["delta"]["content"][0]["text"]["value"]
                    for token in text.split():
                        sent = int(token.rpartition("/")[2])
                        if seen == 0:
                            self.first.append((now - began - (sent - int(token.partition("/")[0]))) / 1e6)
                        seen += 1
                        self.hops.append((now - sent) / 1e6)
        self.tokens += seen
        if done and seen == tokens:
            self.complete += 1
        else:
            self.broken += 1


def _at(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


async def measure(url: str, streams: int, seconds: float, pace: float, tokens: int) -> dict[str, float]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        assistant = {"model": f"paced+tps={pace}+tokens={tokens}"}
        async with session.post(f"{url}/assistants", json=assistant, headers=HEADERS) as response:
            assistant_id = (await response.json())["id"]
        body = orjson.dumps(
            {
                "assistant_id": assistant_id,
                "stream": True,
                "thread": {"messages": [{"role": "user", "content": "what time is it"}]},
            }
        )
        warm_up, seen = Streams(), Streams()
        await asyncio.gather(*(warm_up.one(session, url, body, tokens) for _ in range(min(streams, 20))))
        began = time.monotonic()

        async def worker(number: int) -> None:
            # Streams begin one after the other, as those of people do, and not all at the same moment.
            await asyncio.sleep(number / streams * min(2.0, tokens / pace))
            while time.monotonic() - began < seconds:
                await seen.one(session, url, body, tokens)

        await asyncio.gather(*(worker(number) for number in range(streams)))
        took = time.monotonic() - began
    return {
        "streams": seen.complete + seen.broken,
        "broken": seen.broken + warm_up.broken,
        "tokens": seen.tokens,
        "tokens_per_second": seen.tokens / took,
        "first_p50_ms": _at(seen.first, 0.5),
        "first_p99_ms": _at(seen.first, 0.99),
        "hop_p50_ms": _at(seen.hops, 0.5),
        "hop_p99_ms": _at(seen.hops, 0.99),
    }


def main() -> None:
    url, streams, seconds, pace, tokens = sys.argv[1:]
    measured = uvloop.run(measure(url, int(streams), float(seconds), float(pace), int(tokens)))
    sys.stdout.write(orjson.dumps(measured).decode() + "\n")


if __name__ == "__main__":
    main()
