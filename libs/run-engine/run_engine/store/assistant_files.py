"""The files of assistants in PostgreSQL: attached and taken off one at a time, whoever else changes the assistant."""

from collections.abc import Sequence

from run_engine.domain.assistant_files import MOST_FILES, AssistantFile, files_of, with_files
from run_engine.errors import NotFound, TooManyFiles
from run_engine.store.database import Database, Row, Session


class AssistantFiles:
    """Attach, read, list and take off the files of a tenant's assistants. All raise `NotFound` for the assistant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def attach(self, tenant_id: str, assistant_id: str, file_id: str) -> AssistantFile:
        """Adds a file behind those that are there; one that is there already stays in its place.

        Raises `NotFound` for the file, and `TooManyFiles`.
        """
        async with self._database.transaction() as session:
            row = await _held(session, tenant_id, assistant_id)
            files = files_of(row["tool_resources"])
            if file_id not in files:
                if await session.all("unknown_files", tenant_id=tenant_id, ids=[file_id]):
                    raise NotFound("file", file_id)
                if len(files) >= MOST_FILES:
                    raise TooManyFiles(MOST_FILES)
                await _write(session, tenant_id, row, [*files, file_id])
            (attached,) = await _shown(session, tenant_id, row, [file_id])
        return attached

    async def detach(self, tenant_id: str, assistant_id: str, file_id: str) -> None:
        """Takes a file off; the file itself stays. Raises `NotFound` for a file that is not attached."""
        async with self._database.transaction() as session:
            row = await _held(session, tenant_id, assistant_id)
            files = files_of(row["tool_resources"])
            if file_id not in files:
                raise NotFound("file", file_id)
            files.remove(file_id)
            await _write(session, tenant_id, row, files)

    async def get(self, tenant_id: str, assistant_id: str, file_id: str) -> AssistantFile:
        """Raises `NotFound` for a file that is not attached."""
        found = [each for each in await self.list(tenant_id, assistant_id) if each.id == file_id]
        if not found:
            raise NotFound("file", file_id)
        return found[0]

    async def list(self, tenant_id: str, assistant_id: str) -> Sequence[AssistantFile]:
        """All of them, in the order in which they were attached."""
        row = await self._database.one("get_assistant", tenant_id=tenant_id, id=assistant_id)
        if row is None:
            raise NotFound("assistant", assistant_id)
        return await _shown(self._database, tenant_id, row, files_of(row["tool_resources"]))


async def _held(session: Session, tenant_id: str, assistant_id: str) -> Row:
    row = await session.one("lock_assistant", tenant_id=tenant_id, id=assistant_id)
    if row is None:
        raise NotFound("assistant", assistant_id)
    return row


async def _write(session: Session, tenant_id: str, row: Row, files: Sequence[str]) -> None:
    resources = with_files(row["tool_resources"], files)
    await session.all("set_tool_resources", tenant_id=tenant_id, id=row["id"], tool_resources=resources)


async def _shown(session: Session | Database, tenant_id: str, row: Row, file_ids: Sequence[str]) -> list[AssistantFile]:
    found = await session.all("times_of_files", tenant_id=tenant_id, ids=list(file_ids))
    times = {each["id"]: each["created_at"] for each in found}
    since = row["created_at"]
    return [
        AssistantFile(id=file_id, assistant_id=row["id"], created_at=max(since, times.get(file_id, since)))
        for file_id in file_ids
    ]
