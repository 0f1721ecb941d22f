"""Ids of this dialect: UUIDs, the numbers that the engine's ids render.

An id as `/v1` shows it is taken too: that of an assistant, say, may come from a configuration. Users alone may have any
other name, for they are the app's own.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from run_engine.domain import ids, renderings
from run_engine.errors import NotFound

from gateway.application.conversation_ports import IdNumbers
from gateway.entrypoints.http.named_ids import AS_IN_V1, Named, numbers_of

LONGEST_USER: Final = 128

_UUID: Final = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Shown:
    """The ids of one reply."""

    def __init__(self, numbers: Mapping[tuple[str, str], UUID]) -> None:
        self._numbers = numbers

    def id(self, kind: str, object_id: str) -> str:
        """Return the id of an object as this dialect shows it."""
        return str(self._numbers[kind, object_id])

    def optional(self, kind: str, object_id: str | None) -> str | None:
        """Return the same, and None for none."""
        return None if object_id is None else self.id(kind, object_id)


class AgentIds:
    """Reads and renders ids. Only ids without a number of their own, imported ones above all, cost a statement."""

    def __init__(self, numbers: IdNumbers) -> None:
        self._numbers = numbers

    async def shown(self, tenant_id: str, named: Iterable[Named]) -> Shown:
        """Return the ids of the objects that a reply names. They have to be stored ones."""
        return Shown(await numbers_of(self._numbers, tenant_id, named))

    async def read(self, tenant_id: str, kind: str, text: str) -> str:
        """Return the engine's id behind one that a client gave. Raises `NotFound` for what cannot be an id."""
        if _UUID.fullmatch(text):
            return await self._numbers.id_of(tenant_id, kind, UUID(text))
        if not AS_IN_V1.fullmatch(text):
            raise NotFound(kind, text)
        return text

    async def read_user(self, tenant_id: str, text: str) -> str:
        """Return the engine's id of a user. A name that is no UUID is the id itself."""
        return await self.read(tenant_id, "user", text) if _UUID.fullmatch(text) else text


def user_shown(user_id: str | None) -> str | None:
    """Return a user as the app named them: by a UUID, or by another name."""
    number = None if user_id is None else ids.read("user", user_id)
    return user_id if number is None else str(number)


def tenant_shown(tenant_id: str) -> str:
    """Return a tenant's UUID. It is made of the tenant's name, and always the same."""
    return tenant_id if _UUID.fullmatch(tenant_id) else str(renderings.alias_number(tenant_id, "tenant", tenant_id))
