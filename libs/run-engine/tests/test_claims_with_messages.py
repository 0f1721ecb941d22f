"""The newest messages come along with a claim: the same as when they are read, or none."""

import asyncio

from engine_world import World, user

LONG = "x" * 70_000


async def test_the_newest_messages_come_along_as_they_are_read(world: World) -> None:
    worker = await world.live_worker()
    run = await world.start_run(user("one"), user("two"), user("three"))
    read = await worker.messages.latest(world.tenant, run.thread_id, 2)
    claimed = await worker.driving.claim(world.tenant, run.id, messages=2)
    assert claimed is not None
    assert claimed.newest_messages == tuple(read)
    assert [message.content[0]["text"]["value"] for message in read] == ["three", "two"]


async def test_messages_that_are_too_many_bytes_have_to_be_read(world: World) -> None:
    worker = await world.live_worker()
    run = await world.start_run(user(LONG), user("short"))
    claimed = await worker.driving.claim(world.tenant, run.id, messages=2)
    assert claimed is not None
    assert claimed.newest_messages is None
    other = await world.start_run(user(LONG), user("short"))
    claimed = await worker.driving.claim(world.tenant, other.id, messages=1)
    assert claimed is not None
    assert claimed.newest_messages is not None
    assert len(claimed.newest_messages) == 1, "only those that were asked for count"


async def test_a_run_that_went_on_while_it_was_claimed_comes_without_messages(world: World) -> None:
    """The statement's messages are older than what it has claimed: somebody may have written one meanwhile."""
    worker = await world.live_worker()
    run = await world.start_run()
    async with world.database.transaction() as session:
        assert await session.one("lock_run", tenant_id=world.tenant, run_id=run.id) is not None
        claiming = asyncio.create_task(worker.driving.claim(world.tenant, run.id, messages=5))
        while not await world.sql("SELECT FROM pg_locks WHERE NOT granted"):
            assert not claiming.done()
        await session._connection.execute("UPDATE runs SET seq = seq + 1 WHERE id = $1", run.id)
    claimed = await claiming
    assert claimed is not None
    assert claimed.seq == run.seq + 2
    assert claimed.newest_messages is None
