"""Ids of this dialect: a prefix and 22 base62 characters, another rendering of the number that the engine's id renders.

An id as `/v1` shows it is taken too: the id of an assistant, say, may come from a configuration.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from run_engine.domain import renderings
from run_engine.domain.objects import Message
from run_engine.errors import NotFound

from gateway.application.conversation_ports import IdNumbers
from gateway.entrypoints.http.named_ids import AS_IN_V1, Named, numbers_of

PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "assistant": "asst_",
        "thread": "thread_",
        "message": "message_",
        "run": "run_",
        "user": "user_",
        "tool": "tool_",
        "tool_call": "action_",
    }
)


class Shown:
    """The ids of one reply."""

    def __init__(self, numbers: Mapping[tuple[str, str], UUID]) -> None:
        self._numbers = numbers

    def id(self, kind: str, object_id: str, *, prefix: str | None = None) -> str:
        """Return the id of an object as this dialect shows it."""
        return (prefix or PREFIXES[kind]) + renderings.short(self._numbers[kind, object_id])

    def optional(self, kind: str, object_id: str | None) -> str | None:
        """Return the same, and None for none."""
        return None if object_id is None else self.id(kind, object_id)


class EntityIds:
    """Reads and renders ids. Only ids without a number of their own, imported ones above all, cost a statement."""

    def __init__(self, numbers: IdNumbers) -> None:
        self._numbers = numbers

    async def shown(self, tenant_id: str, named: Iterable[Named]) -> Shown:
        """Return the ids of the objects that a reply names. They have to be stored ones."""
        return Shown(await numbers_of(self._numbers, tenant_id, named))

    async def read(self, tenant_id: str, kind: str, text: str) -> str:
        """Return the engine's id behind one that a client gave. Raises `NotFound` for what cannot be an id."""
        number = _number(kind, text)
        if number is not None:
            return await self._numbers.id_of(tenant_id, kind, number)
        if not AS_IN_V1.fullmatch(text):
            raise NotFound(kind, text)
        return text

    async def read_said(self, tenant_id: str, text: str) -> Sequence[str]:
        """Return the engine's ids that a message's id may stand for: of a message, or of a call with its answer."""
        said = await self.read(tenant_id, "message", text)
        number = _number("message", text)
        return [said] if number is None else [said, await self._numbers.id_of(tenant_id, "tool_call", number)]


def kind_of_said(said: Message) -> str:
    """Return what the id of something said is of: the answer to a call has the id of the call."""
    return "tool_call" if said.role == "tool" and said.tool_call_id == said.id else "message"


def _number(kind: str, text: str) -> UUID | None:
    prefix = PREFIXES[kind]
    return renderings.read_short(text.removeprefix(prefix)) if text.startswith(prefix) else None
