"""The secret that places of the event feed are sealed with. Made by the migration that brought the feed."""

from run_engine.store.database import Database


class FeedKey:
    """Read it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def feed_key(self) -> bytes:
        """32 bytes, the same for all gateways and for ever. Raises `DatabaseUnavailable`."""
        row = await self._database.row("feed_key")
        return bytes(row["key"])
