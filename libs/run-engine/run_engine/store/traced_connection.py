"""A connection that tells PostgreSQL which trace its statements belong to. Used by `database`.

What they write takes the trace from the session (`threadworks.traceparent`, see the migration that is called observed),
so no statement has to pass it on. Told only while something belongs to a trace: one more round trip for each of them.
"""

from typing import Final

import asyncpg

_SET: Final = "SELECT set_config('threadworks.traceparent', $1, $2)"


class TracedConnection(asyncpg.Connection):
    """`carried` is what the session was told last, outside of transactions; None where nothing is carried."""

    carried: str | None = None

    async def carry(self, traceparent: str | None, timeout: float) -> None:
        """Have what is written from now on belong to a trace, or to none."""
        if self.is_in_transaction():
            # Only until its end, or that of the savepoint: a rollback would take it back, and nobody would know.
            await self.fetchval(_SET, traceparent or "", True, timeout=timeout)
        elif traceparent != self.carried:
            await self.fetchval(_SET, traceparent or "", False, timeout=timeout)
            self.carried = traceparent
