"""Exports: everything of a tenant, page by page, in an order that `imports` takes in requests of any size.

Called by the gateway, which streams the objects. Each page is a statement of its own, so no connection is held while a
client reads, and what is written meanwhile may be in or not; but nothing comes before what it belongs to.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import fields, replace
from typing import Final, TypeVar

from run_engine.domain.files import File
from run_engine.domain.imports import ImportedObject
from run_engine.domain.objects import Run, User
from run_engine.errors import NotFound
from run_engine.store import rows
from run_engine.store.database import Database, Row
from run_engine.store.paging import LOWEST, Place

Item = TypeVar("Item")

PAGE: Final = 200
"""Rows that one statement gives at the most: so much of an export is held at once."""
THREADS_AT_ONCE: Final = 25
"""Threads whose content is read together: most are short, and a statement for each would cost more than its rows."""
_FILE: Final = tuple(field.name for field in fields(File))


class Exports:
    """Reads all objects of a tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pages(
        self, tenant_id: str, thread_id: str | None = None
    ) -> AsyncGenerator[Sequence[ImportedObject], None]:
        """Assistants, files, users, tools and threads with their content; or one thread with its users and its content.

        Raises `NotFound` for the thread, at the first page.
        """
        if thread_id is not None:
            row = await self._database.one("get_thread", tenant_id=tenant_id, id=thread_id)
            if row is None:
                raise NotFound("thread", thread_id)
            async for page in self._threads(tenant_id, [row]):
                yield page
            return
        # What has come since a list was read is left out where something of a later list would name it.
        assistants_end = users_end = LOWEST
        async for found in self._walk("export_assistants", tenant_id, PAGE):
            yield [rows.assistant(row) for row in found]
            assistants_end = _place(found[-1])
        async for found in self._walk("export_files", tenant_id, PAGE):
            yield [File(**{name: row[name] for name in _FILE}) for row in found]
        bound = {"assistants_time": assistants_end[0], "assistants_position": assistants_end[1]}
        async for found in self._walk("export_users", tenant_id, PAGE, **bound):
            yield [replace(rows.user(row), assistant_ids=tuple(row["assistant_ids"]) or None) for row in found]
            users_end = _place(found[-1])
        async for found in self._walk("export_tools", tenant_id, PAGE):
            yield [rows.tool(row) for row in found]
        async for found in self._walk("export_threads", tenant_id, THREADS_AT_ONCE):
            async for page in self._threads(tenant_id, found, users_end):
                yield page

    async def _threads(
        self, tenant_id: str, found: Sequence[Row], users_end: Place = LOWEST
    ) -> AsyncGenerator[Sequence[ImportedObject], None]:
        """Threads with their content, after those of their participants who are younger than `users_end`."""
        participants: dict[str, list[str]] = {row["id"]: [] for row in found}
        younger: dict[str, User] = {}
        for row in await self._database.all("export_participants", tenant_id=tenant_id, thread_ids=list(participants)):
            participants[row["thread_id"]].append(row["id"])
            if _place(row) > users_end:
                younger[row["id"]] = rows.user(row)
        if younger:
            yield list(younger.values())
        threads = [replace(rows.thread(row), participants=tuple(participants[row["id"]]) or None) for row in found]
        yield threads
        thread_ids = [thread.id for thread in threads]
        async for messages in self._content("export_messages", tenant_id, thread_ids, "thread_id", rows.message):
            yield messages
        active: set[str] = set()
        async for found_runs in self._content("export_runs", tenant_id, thread_ids, "thread_id", _run):
            # Where one run has ended since it was read, another one may be active: a thread has one in a dump too.
            runs = [run for run in found_runs if run.status.ended or run.thread_id not in active]
            active |= {run.thread_id for run in runs if not run.status.ended}
            yield runs
            run_ids = [run.id for run in runs]
            async for steps in self._content("export_steps", tenant_id, run_ids, "run_id", rows.step):
                yield steps

    async def _walk(
        self, statement: str, tenant_id: str, limit: int, **bound: object
    ) -> AsyncGenerator[Sequence[Row], None]:
        """A list of the tenant, page by page."""
        after = LOWEST
        while True:
            found = await self._database.all(
                statement, tenant_id=tenant_id, time=after[0], position=after[1], limit=limit, **bound
            )
            if found:
                yield found
            if len(found) < limit:
                return
            after = _place(found[-1])

    async def _content(
        self, statement: str, tenant_id: str, owners: Sequence[str], owner: str, build: Callable[[Row], Item]
    ) -> AsyncGenerator[Sequence[Item], None]:
        """What belongs to `owners`: some of each, then more of those that have more, until there are none."""
        after: dict[str, Place] = dict.fromkeys(owners, LOWEST)
        while after:
            limit = max(PAGE // len(after), 1)
            found = await self._database.all(
                statement,
                tenant_id=tenant_id,
                owners=list(after),
                times=[place[0] for place in after.values()],
                positions=[place[1] for place in after.values()],
                limit=limit,
            )
            if found:
                yield [build(row) for row in found]
            last = {row[owner]: _place(row) for row in found}
            counts = dict.fromkeys(last, 0)
            for row in found:
                counts[row[owner]] += 1
            after = {each: place for each, place in last.items() if counts[each] == limit}


def _place(row: Row) -> Place:
    return row["created_at"], row["position"]


def _run(row: Row) -> Run:
    return rows.run(row, row["required_calls"])
