"""Whether a thread has room for more messages. Used by the stores whose statements refused to add some."""

from run_engine.domain.drafts import MOST_MESSAGES
from run_engine.errors import ThreadFull
from run_engine.store.database import Database


async def require_room(database: Database, tenant_id: str, thread_id: str, more: int) -> None:
    """Counts the messages of a thread anew. Raises `ThreadFull` where `more` of them are too many.

    `threads.message_count` also has the messages that runs did not write, so a refusal may come too early: the count is
    put right here, and whoever asked tries again. It is taken under the thread's lock, by a statement that began after
    it: one that waited for a lock would not see what others added meanwhile.
    """
    async with database.transaction() as session:
        if await session.one("thread_for_change", tenant_id=tenant_id, id=thread_id) is None:
            return
        counted = await session.row("count_messages", tenant_id=tenant_id, id=thread_id)
    if counted["message_count"] + more > MOST_MESSAGES:
        raise ThreadFull(thread_id, MOST_MESSAGES)
