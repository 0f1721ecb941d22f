"""How many messages a thread has, for tests of what keeps that number."""

from engine_world import World


async def count(world: World, thread_id: str) -> tuple[int, int]:
    """What the thread says of the number of its messages, and how many there are."""
    (row,) = await world.sql(
        "SELECT message_count, (SELECT count(*) FROM messages m WHERE m.tenant_id = t.tenant_id AND m.thread_id = t.id)"
        " AS there FROM threads t WHERE tenant_id = $1 AND id = $2",
        world.tenant,
        thread_id,
    )
    return row["message_count"], row["there"]
