"""Users in PostgreSQL, the threads that they take part in, and the assistants that they have."""

from collections.abc import Sequence

from run_engine.domain.drafts import UNSET, NewUser, Page, PageRequest, Unset
from run_engine.domain.metadata import merged
from run_engine.domain.objects import Assistant, Metadata, User
from run_engine.errors import NotFound
from run_engine.store import rows
from run_engine.store.database import Database, Row
from run_engine.store.paging import fetch_page


class Users:
    """Create, read, change, list and delete users of a tenant, and what ties them to threads and assistants.

    Whatever names a user, thread or assistant raises `NotFound` where the tenant has none.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, tenant_id: str, draft: NewUser) -> User:
        """Stores a new user."""
        row = await self._database.row(
            "create_user", tenant_id=tenant_id, id=draft.id, name=draft.name, metadata=draft.metadata
        )
        return rows.user(row)

    async def ensure(self, tenant_id: str, draft: NewUser) -> User:
        """Stores a user under a given id, or keeps the one that is there as it is; gives the stored one."""
        while True:
            await self._database.all(
                "ensure_user", tenant_id=tenant_id, id=draft.id, name=draft.name, metadata=draft.metadata
            )
            row = await self._database.one("get_user", tenant_id=tenant_id, id=draft.id)
            if row is not None:
                return rows.user(row)
            # Somebody has deleted the user between the two statements.

    async def get(self, tenant_id: str, user_id: str) -> User:
        """Raises `NotFound`."""
        row = await self._database.one("get_user", tenant_id=tenant_id, id=user_id)
        if row is None:
            raise NotFound("user", user_id)
        return rows.user(row)

    async def modify(
        self,
        tenant_id: str,
        user_id: str,
        *,
        name: str | Unset | None = UNSET,
        metadata: Metadata | Unset | None = UNSET,
    ) -> User:
        """Changes the given fields, metadata as `domain.metadata` says. Raises `NotFound` and `TooMuchMetadata`."""
        async with self._database.transaction() as session:
            row = await session.one("user_for_change", tenant_id=tenant_id, id=user_id)
            if row is None:
                raise NotFound("user", user_id)
            changed = await session.row(
                "modify_user",
                tenant_id=tenant_id,
                id=user_id,
                name=row["name"] if isinstance(name, Unset) else name,
                metadata=row["metadata"] if isinstance(metadata, Unset) else merged(row["metadata"], metadata),
            )
        return rows.user(changed)

    async def delete(self, tenant_id: str, user_id: str) -> None:
        """Deletes a user. Threads lose the participant; messages stay, and keep the id of their sender."""
        if await self._database.one("delete_user", tenant_id=tenant_id, id=user_id) is None:
            raise NotFound("user", user_id)

    async def list(self, tenant_id: str, request: PageRequest) -> Page[User]:
        """One page. Raises `NotFound` for a cursor that names no user."""
        database = self._database
        return await fetch_page(
            request,
            kind="user",
            place_of=lambda cursor: database.one("place_of_user", tenant_id=tenant_id, id=cursor),
            rows_between=lambda bounds: database.all("list_users", tenant_id=tenant_id, **bounds),
            build=rows.user,
        )

    async def threads_of(self, tenant_id: str, user_id: str) -> Sequence[str]:
        """The ids of the threads that a user takes part in, the newest last."""
        found = await self._database.all("threads_of_user", tenant_id=tenant_id, user_id=user_id)
        if not found:
            await self.get(tenant_id, user_id)
        return [row["id"] for row in found]

    async def participants(self, tenant_id: str, thread_id: str) -> Sequence[User]:
        """The users who take part in a thread, in the order of their coming."""
        found = await self._database.all("participants_of_thread", tenant_id=tenant_id, thread_id=thread_id)
        if not found and await self._database.one("get_thread", tenant_id=tenant_id, id=thread_id) is None:
            raise NotFound("thread", thread_id)
        return [rows.user(row) for row in found]

    async def add_participant(self, tenant_id: str, thread_id: str, user_id: str) -> None:
        """Lets a user take part in a thread; again changes nothing."""
        await self._tie("add_participant", tenant_id, thread_id=thread_id, user_id=user_id)

    async def remove_participant(self, tenant_id: str, thread_id: str, user_id: str) -> None:
        """A user takes part in a thread no longer; again changes nothing."""
        await self._tie("remove_participant", tenant_id, thread_id=thread_id, user_id=user_id)

    async def assistants_of(self, tenant_id: str, user_id: str) -> Sequence[Assistant]:
        """The assistants that a user has, in the order of their coming."""
        found = await self._database.all("assistants_of_user", tenant_id=tenant_id, user_id=user_id)
        if not found:
            await self.get(tenant_id, user_id)
        return [rows.assistant(row) for row in found]

    async def attach_assistant(self, tenant_id: str, user_id: str, assistant_id: str) -> None:
        """Gives a user an assistant; again changes nothing."""
        await self._tie("attach_assistant", tenant_id, user_id=user_id, assistant_id=assistant_id)

    async def detach_assistant(self, tenant_id: str, user_id: str, assistant_id: str) -> None:
        """A user has an assistant no longer; again changes nothing."""
        await self._tie("detach_assistant", tenant_id, user_id=user_id, assistant_id=assistant_id)

    async def _tie(self, statement: str, tenant_id: str, **ids: str) -> None:
        row: Row = await self._database.row(statement, tenant_id=tenant_id, **ids)
        for name, object_id in ids.items():
            kind = name.removesuffix("_id")
            if not row[f"{kind}_exists"]:
                raise NotFound(kind, object_id)


async def require_users(database: Database, tenant_id: str, user_ids: Sequence[str]) -> None:
    """Raises `NotFound` for the first of these ids that no user has. Used by stores whose statements gave no row."""
    if user_ids:
        unknown = await database.all("unknown_users", tenant_id=tenant_id, ids=list(user_ids))
        if unknown:
            raise NotFound("user", unknown[0]["id"])
