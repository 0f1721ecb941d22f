"""Tools in PostgreSQL: functions that are kept under a name, and the assistants that they are given to."""

from collections.abc import Callable, Sequence

from run_engine.domain.assistant_tools import named, with_function, without_function
from run_engine.domain.drafts import UNSET, NewTool, Page, PageRequest, Unset
from run_engine.domain.objects import Json, Tool
from run_engine.errors import NotFound
from run_engine.store import rows
from run_engine.store.database import Database
from run_engine.store.paging import fetch_page


class Tools:
    """Create, read, change, list and delete tools of a tenant, and give them to assistants.

    Whatever names a tool or an assistant raises `NotFound` where the tenant has none.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, tenant_id: str, draft: NewTool) -> Tool:
        """Stores a new tool."""
        row = await self._database.row(
            "create_tool",
            tenant_id=tenant_id,
            id=draft.id,
            name=draft.name,
            function=named(draft.function, draft.name),
        )
        return rows.tool(row)

    async def get(self, tenant_id: str, tool_id: str) -> Tool:
        """Raises `NotFound`."""
        row = await self._database.one("get_tool", tenant_id=tenant_id, id=tool_id)
        if row is None:
            raise NotFound("tool", tool_id)
        return rows.tool(row)

    async def modify(
        self, tenant_id: str, tool_id: str, *, name: str | Unset = UNSET, function: Json | Unset = UNSET
    ) -> Tool:
        """Changes the given fields. Assistants keep the copies that they have."""
        async with self._database.transaction() as session:
            row = await session.one("tool_for_change", tenant_id=tenant_id, id=tool_id)
            if row is None:
                raise NotFound("tool", tool_id)
            name = row["name"] if isinstance(name, Unset) else name
            changed = await session.row(
                "modify_tool",
                tenant_id=tenant_id,
                id=tool_id,
                name=name,
                function=row["function"] if isinstance(function, Unset) else named(function, name),
            )
        return rows.tool(changed)

    async def delete(self, tenant_id: str, tool_id: str) -> None:
        """Deletes a tool. Assistants keep the copies that they have."""
        if await self._database.one("delete_tool", tenant_id=tenant_id, id=tool_id) is None:
            raise NotFound("tool", tool_id)

    async def list(self, tenant_id: str, request: PageRequest) -> Page[Tool]:
        """One page. Raises `NotFound` for a cursor that names no tool."""
        database = self._database
        return await fetch_page(
            request,
            kind="tool",
            place_of=lambda cursor: database.one("place_of_tool", tenant_id=tenant_id, id=cursor),
            rows_between=lambda bounds: database.all("list_tools", tenant_id=tenant_id, **bounds),
            build=rows.tool,
        )

    async def attach(self, tenant_id: str, assistant_id: str, tool_id: str) -> None:
        """Gives an assistant a copy of the tool's function, for the one of the same name if it has one.

        Raises `NotFound` and `TooManyTools`.
        """
        await self._change(tenant_id, assistant_id, tool_id, with_function)

    async def detach(self, tenant_id: str, assistant_id: str, tool_id: str) -> None:
        """Takes the function of the tool's name from an assistant; again changes nothing."""
        await self._change(
            tenant_id, assistant_id, tool_id, lambda tools, function: without_function(tools, function["name"])
        )

    async def of_assistant(self, tenant_id: str, assistant_id: str) -> Sequence[Tool]:
        """The tools whose functions an assistant has, in its order. Functions that are no tool's are left out."""
        found = await self._database.all("tools_of_assistant", tenant_id=tenant_id, assistant_id=assistant_id)
        if not found and await self._database.one("get_assistant", tenant_id=tenant_id, id=assistant_id) is None:
            raise NotFound("assistant", assistant_id)
        return [rows.tool(row) for row in found]

    async def _change(
        self,
        tenant_id: str,
        assistant_id: str,
        tool_id: str,
        changed: Callable[[Sequence[Json], Json], Sequence[Json]],
    ) -> None:
        async with self._database.transaction() as session:
            assistant = await session.one("lock_assistant", tenant_id=tenant_id, id=assistant_id)
            if assistant is None:
                raise NotFound("assistant", assistant_id)
            tool = await session.one("get_tool", tenant_id=tenant_id, id=tool_id)
            if tool is None:
                raise NotFound("tool", tool_id)
            tools = changed(assistant["tools"], tool["function"])
            await session.all("set_assistant_tools", tenant_id=tenant_id, assistant_id=assistant_id, tools=tools)
