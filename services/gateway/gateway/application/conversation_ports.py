"""What the gateway needs of the world beyond OpenAI's objects: users, kept tools, whole conversations, other ids.

The stores of the run engine fit these. Whatever names an object raises `NotFound` where the tenant has none.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from run_engine.domain.drafts import UNSET, NewTool, NewUser, Page, PageRequest, Unset
from run_engine.domain.objects import Assistant, Json, Message, Metadata, Tool, User
from run_engine.store.conversations import RunCall


class UserStore(Protocol):
    """The users of all tenants, the threads that they take part in, and the assistants that they have."""

    async def create(self, tenant_id: str, draft: NewUser) -> User:
        """Store a new user."""
        ...

    async def ensure(self, tenant_id: str, draft: NewUser) -> User:
        """Store a user, or keep the one that is there as it is; return the stored one."""
        ...

    async def get(self, tenant_id: str, user_id: str) -> User:
        """Read one."""
        ...

    async def modify(
        self,
        tenant_id: str,
        user_id: str,
        *,
        name: str | Unset | None = UNSET,
        metadata: Metadata | Unset | None = UNSET,
    ) -> User:
        """Change the given fields. Raises `TooMuchMetadata`."""
        ...

    async def delete(self, tenant_id: str, user_id: str) -> None:
        """Delete one; messages keep the id of their sender."""
        ...

    async def list(self, tenant_id: str, request: PageRequest) -> Page[User]:
        """Read one page."""
        ...

    async def threads_of(self, tenant_id: str, user_id: str) -> Sequence[str]:
        """Read the ids of the threads that a user takes part in, the newest last."""
        ...

    async def participants(self, tenant_id: str, thread_id: str) -> Sequence[User]:
        """Read who takes part in a thread, in the order of their coming."""
        ...

    async def add_participant(self, tenant_id: str, thread_id: str, user_id: str) -> None:
        """Let a user take part in a thread; again changes nothing."""
        ...

    async def remove_participant(self, tenant_id: str, thread_id: str, user_id: str) -> None:
        """Let a user take part in a thread no longer; again changes nothing."""
        ...

    async def assistants_of(self, tenant_id: str, user_id: str) -> Sequence[Assistant]:
        """Read the assistants that a user has, in the order of their coming."""
        ...

    async def attach_assistant(self, tenant_id: str, user_id: str, assistant_id: str) -> None:
        """Give a user an assistant; again changes nothing."""
        ...

    async def detach_assistant(self, tenant_id: str, user_id: str, assistant_id: str) -> None:
        """Take an assistant from a user; again changes nothing."""
        ...


class ToolStore(Protocol):
    """Functions that are kept under a name; assistants get copies of them."""

    async def create(self, tenant_id: str, draft: NewTool) -> Tool:
        """Store a new tool."""
        ...

    async def get(self, tenant_id: str, tool_id: str) -> Tool:
        """Read one."""
        ...

    async def modify(
        self, tenant_id: str, tool_id: str, *, name: str | Unset = UNSET, function: Json | Unset = UNSET
    ) -> Tool:
        """Change the given fields, and no copy."""
        ...

    async def delete(self, tenant_id: str, tool_id: str) -> None:
        """Delete one, and no copy."""
        ...

    async def list(self, tenant_id: str, request: PageRequest) -> Page[Tool]:
        """Read one page."""
        ...

    async def attach(self, tenant_id: str, assistant_id: str, tool_id: str) -> None:
        """Give an assistant a copy, for its function of the same name if it has one. Raises `TooManyTools`."""
        ...

    async def detach(self, tenant_id: str, assistant_id: str, tool_id: str) -> None:
        """Take the function of the tool's name from an assistant; again changes nothing."""
        ...

    async def of_assistant(self, tenant_id: str, assistant_id: str) -> Sequence[Tool]:
        """Read the tools whose functions an assistant has, in its order."""
        ...


class ConversationStore(Protocol):
    """Everything that was said, what tools said included: an answered call is a message under the id of the call."""

    async def list(self, tenant_id: str, thread_id: str, request: PageRequest) -> Page[Message]:
        """Read one page of a thread; `after` may be a step that asks for calls, too."""
        ...

    async def get(self, tenant_id: str, message_id: str) -> Message:
        """Read a message by its id alone."""
        ...

    async def calls_of(self, tenant_id: str, run_ids: Sequence[str]) -> Sequence[RunCall]:
        """Read all calls of these runs, each run's in order."""
        ...


class IdNumbers(Protocol):
    """The 128-bit numbers that ids render, for dialects that render them otherwise. `kind` is one of `ids.PREFIXES`."""

    async def number(self, tenant_id: str, kind: str, object_id: str) -> UUID:
        """Return the number of a stored object's id."""
        ...

    async def numbers(self, tenant_id: str, kind: str, object_ids: Sequence[str]) -> Mapping[str, UUID]:
        """Return the numbers of several by their ids."""
        ...

    async def id_of(self, tenant_id: str, kind: str, number: UUID) -> str:
        """Return the id that a number stands for: one that no object has where there is no such object."""
        ...
