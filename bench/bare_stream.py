"""The bare stream: what one streamed run costs in commits, Kafka hops and HTTP, without any logic.

It is the practical limit for the first delta on a machine. A run is 1 POST (1 commit: message, run, outbox rows), 1
record that wakes the orchestrator, 1 claiming commit, 1 streamed HTTP call to the model, 1 commit that begins the
answer at the first chunk, and 1 record for each chunk to the one partition that the gateway reads. Nothing is read,
checked, resumed or repaired, and the end is not even stored.

Each role is a process: `python bench/bare_stream.py gateway|orchestrator`, with BARE_DATABASE_URL, BARE_KAFKA,
BARE_GATEWAY_PORT and BARE_MODEL_PORT in the environment. `bench/streams.py` starts them and loads them with the same
program as Threadworks.
"""

import asyncio
import os
import sys
import uuid
from typing import Any

import aiohttp
import asyncpg
import orjson
import uvicorn
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from bare_pipeline import ACCEPT, CLAIM, COMMANDS, Receive, Scope, Send

DELTAS = "bench.bare.deltas"
BEGIN = "INSERT INTO bare_messages (id, thread_id, role, content) VALUES ($1, $2, 'assistant', '[]')"
HEAD = [(b"content-type", b"text/event-stream")]
JSON = [(b"content-type", b"application/json")]


async def connected() -> tuple[Any, AIOKafkaProducer]:
    pool = await asyncpg.create_pool(os.environ["BARE_DATABASE_URL"], min_size=8, max_size=8)
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["BARE_KAFKA"], acks=1, linger_ms=0)
    await producer.start()
    return pool, producer


class Gateway:
    """Accepts runs and writes what comes for them."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Queue[bytes]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._model = ""

    async def open(self) -> None:
        self._pool, self._producer = await connected()
        consumer = AIOKafkaConsumer(bootstrap_servers=os.environ["BARE_KAFKA"], auto_offset_reset="latest")
        await consumer.start()
        consumer.assign([TopicPartition(DELTAS, 0)])
        await consumer.seek_to_end()
        self._reading = asyncio.create_task(self._read(consumer))

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            queue = self._waiting.get(record.key)
            if queue is not None:
                queue.put_nowait(record.value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await self.open()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = (await receive())["body"]
        if scope["path"].endswith("/assistants"):
            self._model = orjson.loads(body)["model"]
            await send({"type": "http.response.start", "status": 200, "headers": JSON})
            await send({"type": "http.response.body", "body": b'{"id": "asst_bare"}'})
            return
        thread, run, message = (f"{kind}_{uuid.uuid4().hex}" for kind in ("thread", "run", "msg"))
        key = run.encode()
        queue = self._waiting[key] = asyncio.Queue()
        event = orjson.dumps({"run_id": run, "thread_id": thread, "model": self._model})
        await self._pool.fetch(ACCEPT, message, thread, body.decode(), run, '{"model": "m"}', key, event)
        await self._producer.send(COMMANDS, event, key=thread.encode())
        await send({"type": "http.response.start", "status": 200, "headers": HEAD})
        while (text := await queue.get()) != b"":
            delta = b'{"delta":{"content":[{"index":0,"type":"text","text":{"value":' + text + b"}}]}}"
            event = b"event: thread.message.delta\ndata: " + delta + b"\n\n"
            await send({"type": "http.response.body", "body": event, "more_body": True})
        del self._waiting[key]
        await send({"type": "http.response.body", "body": b"event: done\ndata: [DONE]\n\n"})


async def orchestrator() -> None:
    pool, producer = await connected()
    http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    url = f"http://127.0.0.1:{os.environ['BARE_MODEL_PORT']}/v1/chat/completions"
    consumer = AIOKafkaConsumer(
        COMMANDS,
        bootstrap_servers=os.environ["BARE_KAFKA"],
        group_id=f"bench-bare-{uuid.uuid4().hex}",
        enable_auto_commit=False,
        auto_offset_reset="latest",
    )
    await consumer.start()

    async def work(command: dict[str, str]) -> None:
        key = command["run_id"].encode()
        if await pool.fetchrow(CLAIM, command["run_id"], key, b"claimed") is None:
            return
        begun = False
        async with http.post(url, data=orjson.dumps({"model": command["model"]})) as response:
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                choices = orjson.loads(line[6:])["choices"]
                text = choices[0]["delta"].get("content") if choices else None
                if text is None:
                    continue
                if not begun:
                    begun = True
                    await pool.execute(BEGIN, f"msg_{uuid.uuid4().hex}", command["thread_id"])
                await producer.send(DELTAS, orjson.dumps(text), key=key, partition=0)
        await producer.send(DELTAS, b"", key=key, partition=0)

    working: set[asyncio.Task[None]] = set()
    async for record in consumer:
        task = asyncio.create_task(work(orjson.loads(record.value)))
        working.add(task)
        task.add_done_callback(working.discard)


if __name__ == "__main__":
    if sys.argv[1] == "gateway":
        uvicorn.run(
            Gateway(),
            host="127.0.0.1",
            port=int(os.environ["BARE_GATEWAY_PORT"]),
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_level="warning",
            lifespan="on",
        )
    else:
        uvloop.run(orchestrator())
