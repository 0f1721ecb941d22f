"""Numbers of ids and ids of numbers, for the dialects whose ids are other renderings of the same number."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from run_engine.domain import ids, renderings
from run_engine.store.database import Database
from run_engine.store.units import after_commit

REMEMBERED: Final = 50_000
"""Aliases that a process knows to be stored, about 200 bytes each: more would only be written again."""


class Aliases:
    """Numbers for all ids, both ways. Only ids that render no number, imported ones above all, cost a statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stored: set[tuple[str, UUID]] = set()

    async def number(self, tenant_id: str, kind: str, object_id: str) -> UUID:
        """The number of an object of `kind` (as in `ids.PREFIXES`). May write: ask for stored objects alone."""
        return (await self.numbers(tenant_id, kind, [object_id]))[object_id]

    async def numbers(self, tenant_id: str, kind: str, object_ids: Sequence[str]) -> Mapping[str, UUID]:
        """The numbers of several objects of one kind by their ids, with at most one statement."""
        found: dict[str, UUID] = {}
        new: dict[UUID, str] = {}
        for object_id in object_ids:
            number = renderings.number_of(kind, object_id)
            if number is None:
                number = renderings.alias_number(tenant_id, kind, object_id)
                if (tenant_id, number) not in self._stored:
                    new[number] = object_id
            found[object_id] = number
        if new:
            await self._database.all(
                "keep_aliases", tenant_id=tenant_id, kind=kind, numbers=sorted(new), ids=[new[n] for n in sorted(new)]
            )
            after_commit(partial(self._remember, [(tenant_id, number) for number in new]))
        return found

    async def id_of(self, tenant_id: str, kind: str, number: UUID) -> str:
        """The id that a number stands for. Where there is no such object, it is an id that no object has."""
        if renderings.is_alias(number):
            row = await self._database.one("find_alias", tenant_id=tenant_id, kind=kind, number=number)
            if row is not None:
                return str(row["id"])
        return ids.render(kind, number)

    def _remember(self, stored: Sequence[tuple[str, UUID]]) -> None:
        if len(self._stored) + len(stored) > REMEMBERED:
            self._stored.clear()
        self._stored.update(stored)
