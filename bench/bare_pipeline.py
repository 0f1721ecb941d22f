"""The bare pipeline: what one plain run costs in HTTP requests, commits and Kafka messages, without any logic.

It is the practical limit on a machine that Threadworks is compared with. One run is 1 POST (1 commit: message, run and
2 outbox rows), 1 consumed command, 1 claiming commit (1 outbox row), 1 HTTP call to a model, 1 final commit (message,
status, 4 outbox rows), 7 publishes whose rows are deleted in batches, and GETs until the run is done.

Each role is a process: `python bench/bare_pipeline.py gateway|orchestrator|model`, with BARE_DATABASE_URL, BARE_KAFKA,
BARE_GATEWAY_PORT and BARE_MODEL_PORT in the environment. `bench/run.py` starts them.
"""

import asyncio
import os
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import aiohttp
import asyncpg
import orjson
import uvicorn
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

COMMANDS, EVENTS = "bench.bare.commands", "bench.bare.events"
TOPICS = (COMMANDS, EVENTS)
PARTITIONS = 12

SCHEMA = """
DROP TABLE IF EXISTS bare_messages, bare_runs, bare_outbox;
CREATE TABLE bare_messages (
    id text PRIMARY KEY, thread_id text NOT NULL, role text, content jsonb, created_at timestamptz DEFAULT now());
CREATE TABLE bare_runs (
    id text PRIMARY KEY, thread_id text NOT NULL, status text, attempt integer DEFAULT 0, lease timestamptz,
    body jsonb);
CREATE TABLE bare_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text, key bytea, value bytea);
"""
ACCEPT = f"""
WITH message AS (INSERT INTO bare_messages (id, thread_id, role, content) VALUES ($1, $2, 'user', $3)),
run AS (INSERT INTO bare_runs (id, thread_id, status, body) VALUES ($4, $2, 'queued', $5))
INSERT INTO bare_outbox (topic, key, value) VALUES ('{COMMANDS}', $6, $7), ('{EVENTS}', $6, $7) RETURNING id
"""
CLAIM = f"""
WITH run AS (
    UPDATE bare_runs SET status = 'in_progress', attempt = attempt + 1, lease = now() + interval '20 s'
    WHERE id = $1 AND status = 'queued' RETURNING thread_id),
event AS (INSERT INTO bare_outbox (topic, key, value) SELECT '{EVENTS}', $2, $3 FROM run RETURNING id)
SELECT run.thread_id, event.id FROM run, event
"""
FINISH = f"""
WITH run AS (
    UPDATE bare_runs SET status = 'completed', lease = NULL WHERE id = $1 AND attempt = 1 RETURNING thread_id),
message AS (
    INSERT INTO bare_messages (id, thread_id, role, content) SELECT $2, thread_id, 'assistant', $3 FROM run)
INSERT INTO bare_outbox (topic, key, value) SELECT '{EVENTS}', $4, $5 FROM generate_series(1, 4) RETURNING id
"""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = Callable[[Scope, bytes], Awaitable[bytes]]


class Outbox:
    """Publishes committed rows from memory and deletes them after the acknowledgement."""

    def __init__(self, pool: Any, producer: AIOKafkaProducer) -> None:
        self._pool = pool
        self._producer = producer
        self._rows: list[tuple[int, str, bytes, bytes]] = []
        self._work = asyncio.Event()

    def add(self, row: tuple[int, str, bytes, bytes]) -> None:
        self._rows.append(row)
        self._work.set()

    async def run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            rows, self._rows = self._rows, []
            sent = [await self._producer.send(topic, value, key=key) for _, topic, key, value in rows]
            await asyncio.gather(*sent)
            await self._pool.execute("DELETE FROM bare_outbox WHERE id = ANY($1)", [row[0] for row in rows])


async def opened() -> tuple[Any, Outbox, asyncio.Task[None]]:
    pool = await asyncpg.create_pool(os.environ["BARE_DATABASE_URL"], min_size=8, max_size=8)
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["BARE_KAFKA"], acks="all", enable_idempotence=True, linger_ms=0
    )
    await producer.start()
    outbox = Outbox(pool, producer)
    return pool, outbox, asyncio.create_task(outbox.run())


def serve(port: int, open_: Callable[[], Awaitable[Any]], answer: Callable[[Any], Answer]) -> None:
    """A raw ASGI application: no framework, no routing, no validation."""
    state: dict[str, Any] = {}

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while True:
                event = await receive()
                if event["type"] == "lifespan.startup":
                    state["opened"] = await open_()
                    state["answer"] = answer(state["opened"])
                await send({"type": event["type"] + ".complete"})
                if event["type"] == "lifespan.shutdown":
                    return
        body = b""
        more = True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        data = await state["answer"](scope, body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    uvicorn.run(
        application,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        lifespan="on",
    )


def gateway() -> None:
    def answering(state: tuple[Any, Outbox, object]) -> Answer:
        pool, outbox, _ = state

        async def answer(scope: Scope, body: bytes) -> bytes:
            if scope["method"] == "GET":
                run_id = scope["path"].rsplit("/", 1)[1]
                row = await pool.fetchrow("SELECT id, thread_id, status FROM bare_runs WHERE id = $1", run_id)
                return orjson.dumps(dict(row))
            asked = orjson.loads(body)
            thread_id, run_id, message_id = asked["thread_id"], f"run_{uuid.uuid4().hex}", f"msg_{uuid.uuid4().hex}"
            key = thread_id.encode()
            event = orjson.dumps({"run_id": run_id, "message_id": message_id, "thread_id": thread_id})
            content = orjson.dumps(asked["content"]).decode()
            rows = await pool.fetch(ACCEPT, message_id, thread_id, content, run_id, '{"model": "m"}', key, event)
            for (row_id,), topic in zip(rows, TOPICS, strict=True):
                outbox.add((row_id, topic, key, event))
            return orjson.dumps({"id": run_id, "status": "queued"})

        return answer

    serve(int(os.environ["BARE_GATEWAY_PORT"]), opened, answering)


def model() -> None:
    reply = orjson.dumps(
        {
            "choices": [{"message": {"role": "assistant", "content": "Hello there, this is an answer."}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 8},
        }
    )

    async def nothing() -> None:
        return None

    async def answer(_: Scope, __: bytes) -> bytes:
        return reply

    serve(int(os.environ["BARE_MODEL_PORT"]), nothing, lambda _: answer)


async def orchestrator() -> None:
    pool, outbox, relaying = await opened()
    http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))
    url = f"http://127.0.0.1:{os.environ['BARE_MODEL_PORT']}/v1/chat/completions"
    prompt = b'{"model": "m", "messages": [{"role": "user", "content": "hello"}]}'
    consumer = AIOKafkaConsumer(
        COMMANDS,
        bootstrap_servers=os.environ["BARE_KAFKA"],
        group_id=f"bench-bare-{uuid.uuid4().hex}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()

    async def work(run_id: str) -> None:
        claimed = orjson.dumps({"run_id": run_id, "status": "in_progress"})
        row: Mapping[str, Any] | None = await pool.fetchrow(CLAIM, run_id, b"run", claimed)
        if row is None:
            return
        key = row["thread_id"].encode()
        outbox.add((row["id"], EVENTS, key, claimed))
        async with http.post(url, data=prompt) as response:
            reply = orjson.loads(await response.read())
        content = orjson.dumps(reply["choices"][0]["message"]["content"]).decode()
        done = orjson.dumps({"run_id": run_id, "status": "completed"})
        for (row_id,) in await pool.fetch(FINISH, run_id, f"msg_{uuid.uuid4().hex}", content, key, done):
            outbox.add((row_id, EVENTS, key, done))

    working: set[asyncio.Task[None]] = {relaying}
    while True:
        for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
            for record in records:
                task = asyncio.create_task(work(orjson.loads(record.value)["run_id"]))
                working.add(task)
                task.add_done_callback(working.discard)
            await consumer.commit({partition: records[-1].offset + 1})


if __name__ == "__main__":
    match sys.argv[1]:
        case "gateway":
            gateway()
        case "model":
            model()
        case "orchestrator":
            uvloop.run(orchestrator())
