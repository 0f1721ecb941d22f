"""Keys of clients in PostgreSQL: taken, waited for, kept, forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import pytest
from engine_world import World, new_id
from postgres_gate import gate_before
from run_engine.domain.drafts import NewThread
from run_engine.errors import DatabaseUnavailable, KeyInUse, KeyReused
from run_engine.store.database import Database
from run_engine.store.idempotency import IdempotencyKeys, KeptReply, KeyedRequest
from run_engine.sweeper import KEY_RETENTION, Sweeper

REPLY = KeptReply(status=200, headers=(("openai-poll-after-ms", "100"),), body=b'{"id":"\xff\x00"}')
STREAM = KeptReply(status=200, stream={"thread_id": "thread_1", "run_id": "run_1", "after": "run_1:0"})


def request(world: World, name: str = "a", fingerprint: str = "body") -> KeyedRequest:
    return KeyedRequest(world.tenant, sha256(name.encode()).digest(), sha256(fingerprint.encode()).digest())


def effect(world: World, reply: KeptReply = REPLY) -> Callable[[], Awaitable[KeptReply]]:
    """Makes a thread."""

    async def have() -> KeptReply:
        await world.gateway.threads.create(world.tenant, NewThread(id=new_id("thread")))
        return reply

    return have


async def refused() -> KeptReply:
    raise LookupError


async def threads(world: World) -> int:
    return len(await world.sql("SELECT FROM threads WHERE tenant_id = $1", world.tenant))


@pytest.mark.parametrize("reply", [REPLY, STREAM, KeptReply(status=204)])
async def test_a_kept_reply_is_given_again_as_it_was(world: World, reply: KeptReply) -> None:
    keys = IdempotencyKeys(world.database)
    assert await keys.kept(request(world)) is None
    assert await keys.once(request(world), effect(world, reply)) is None
    assert await keys.once(request(world), refused) == reply
    assert await keys.kept(request(world)) == reply
    with pytest.raises(KeyReused):
        await keys.kept(request(world, fingerprint="another body"))
    with pytest.raises(KeyReused):
        await keys.once(request(world, fingerprint="another body"), refused)
    assert await threads(world) == 1
    assert await keys.once(request(world, "another key"), effect(world)) is None
    assert await threads(world) == 2


async def test_a_key_is_the_tenants(world: World, new_world: Any) -> None:
    keys, stranger = IdempotencyKeys(world.database), await new_world()
    await keys.once(request(world), effect(world))
    assert await keys.kept(request(stranger)) is None
    assert await keys.once(request(stranger, fingerprint="another body"), effect(stranger, STREAM)) is None
    assert await keys.kept(request(world)) == REPLY


async def test_what_fails_leaves_the_key_free(world: World) -> None:
    keys = IdempotencyKeys(world.database)

    async def half() -> KeptReply:
        await effect(world)()
        raise LookupError

    with pytest.raises(LookupError):
        await keys.once(request(world), half)
    assert await threads(world) == 0
    assert await keys.once(request(world, fingerprint="another body"), effect(world)) is None


@pytest.mark.parametrize("fails", [False, True])
async def test_a_repetition_at_the_same_moment_waits(world: World, fails: bool) -> None:
    keys = IdempotencyKeys(world.database)
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> KeptReply:
        begun.set()
        await finish.wait()
        return await (refused if fails else effect(world))()

    first = asyncio.create_task(keys.once(request(world), slow))
    await begun.wait()
    second = asyncio.create_task(keys.once(request(world), effect(world, STREAM)))
    async with asyncio.timeout(20):
        while not await world.sql("SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"):
            await asyncio.sleep(0.005)
    finish.set()
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(results[0], LookupError) is fails
    assert results[1] == (None if fails else REPLY)
    assert await keys.kept(request(world)) == (STREAM if fails else REPLY)
    assert await threads(world) == 1


async def test_the_wait_has_an_end(world: World) -> None:
    hurried = IdempotencyKeys(world.database, longest_wait=timedelta(milliseconds=50))

    async def meanwhile() -> KeptReply:
        with pytest.raises(KeyInUse):
            await asyncio.create_task(hurried.once(request(world), refused))
        return REPLY

    assert await IdempotencyKeys(world.database).once(request(world), meanwhile) is None
    assert await hurried.once(request(world), refused) == REPLY


async def test_an_outage_is_no_key_in_use(store_url: str, world: World) -> None:
    database = await Database.connect(store_url, application_name="short", min_size=1, max_size=1)
    await database.close()
    with pytest.raises(DatabaseUnavailable):
        await IdempotencyKeys(database).once(request(world), refused)


@pytest.mark.parametrize("when", ["before the key is taken", "before the reply is kept"])
async def test_a_connection_that_dies_in_the_middle_is_an_outage(world: World, store_url: str, when: str) -> None:
    async with gate_before(store_url) as gate:
        database = await Database.connect(gate.url, application_name="gated", min_size=1, max_size=1)
        keys = IdempotencyKeys(database)

        async def cut() -> KeptReply:
            gate.cut()
            return REPLY

        with pytest.raises(DatabaseUnavailable):
            if when == "before the key is taken":
                async with database.unit_of_work():
                    gate.cut()
                    await keys.once(request(world), refused)
            else:
                await keys.once(request(world), cut)
        assert await keys.once(request(world), effect(world)) is None
        await database.close()


async def test_a_key_that_is_forgotten_while_it_is_looked_at_is_free(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = IdempotencyKeys(world.database)
    await keys.once(request(world), effect(world))
    look = keys.kept

    async def forgotten_before(asked: KeyedRequest) -> KeptReply | None:
        await world.sql("DELETE FROM idempotency_keys WHERE tenant_id = $1", world.tenant)
        return await look(asked)

    monkeypatch.setattr(keys, "kept", forgotten_before)
    assert await keys.once(request(world), effect(world)) is None


async def test_old_keys_are_forgotten_and_those_in_use_are_left(lonely_world: World, lonely_url: str) -> None:
    world = lonely_world
    keys = IdempotencyKeys(world.database)
    for name in ("old", "in use", "young"):
        await keys.once(request(world, name), effect(world))
    aged = "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second' WHERE name = ANY($1)"
    await world.sql(aged, [request(world, name).name for name in ("old", "in use")])
    blocker = await asyncpg.connect(lonely_url)
    async with blocker.transaction():
        await blocker.execute("SELECT FROM idempotency_keys WHERE name = $1 FOR UPDATE", request(world, "in use").name)
        assert await world.gateway.sweeps.prune_keys(KEY_RETENTION) == 1
    await blocker.close()
    assert await keys.kept(request(world, "old")) is None
    assert await keys.kept(request(world, "in use")) == await keys.kept(request(world, "young")) == REPLY
    sweeper = Sweeper(world.gateway.sweeps)
    await sweeper.tick()
    assert await keys.kept(request(world, "in use")) is None
    assert await keys.kept(request(world, "young")) == REPLY
