"""What the gateway needs of the world. The stores of the run engine fit these; tests bring their own."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from run_engine.domain.assistant_files import AssistantFile
from run_engine.domain.drafts import (
    UNSET,
    Changes,
    NewAssistant,
    NewMessage,
    NewRun,
    NewThread,
    Page,
    PageRequest,
    Unset,
)
from run_engine.domain.imports import ImportedObject
from run_engine.domain.objects import Assistant, Json, Message, Metadata, Run, RunStep, Thread, ToolCall
from run_engine.store.tenants import Principal


class KeyStore(Protocol):
    """Knows the API keys."""

    async def authenticate(self, key: str) -> Principal | None:
        """Who the key belongs to; None for an unknown or revoked key."""
        ...


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model, as its server describes it; `created` in unix seconds, 0 where the server does not say."""

    id: str
    created: int
    owned_by: str


class ModelServerAway(Exception):
    """The model's server cannot be asked: it is not there, refuses the key, or says something else."""


class ModelServer(Protocol):
    """The server that answers for the models."""

    async def models(self) -> Sequence[ServedModel]:
        """Ask for the list of its models. Raises `ModelServerAway`."""
        ...


class AssistantStore(Protocol):
    """The assistants of all tenants. Whatever names an object raises `NotFound` where the tenant has none."""

    async def create(self, tenant_id: str, draft: NewAssistant) -> Assistant:
        """Store a new assistant."""
        ...

    async def get(self, tenant_id: str, assistant_id: str) -> Assistant:
        """Read one."""
        ...

    async def modify(self, tenant_id: str, assistant_id: str, changes: Changes) -> Assistant:
        """Change the named fields and no other; `file_ids` are its files. Raises `TooMuchMetadata`."""
        ...

    async def delete(self, tenant_id: str, assistant_id: str) -> None:
        """Delete one; its runs keep their snapshot."""
        ...

    async def list(self, tenant_id: str, request: PageRequest) -> Page[Assistant]:
        """Read one page."""
        ...


class AssistantFileStore(Protocol):
    """The files that are attached to assistants. Each raises `NotFound` for the assistant."""

    async def attach(self, tenant_id: str, assistant_id: str, file_id: str) -> AssistantFile:
        """Attach one, unless it is attached already. Raises `NotFound` for the file, and `TooManyFiles`."""
        ...

    async def detach(self, tenant_id: str, assistant_id: str, file_id: str) -> None:
        """Take one off. Raises `NotFound` where it is not attached."""
        ...

    async def get(self, tenant_id: str, assistant_id: str, file_id: str) -> AssistantFile:
        """Read one. Raises `NotFound` where it is not attached."""
        ...

    async def list(self, tenant_id: str, assistant_id: str) -> Sequence[AssistantFile]:
        """Read all, in the order in which they were attached."""
        ...


class ThreadStore(Protocol):
    """The threads of all tenants."""

    async def create(self, tenant_id: str, draft: NewThread) -> Thread:
        """Store a thread with its first messages."""
        ...

    async def get(self, tenant_id: str, thread_id: str) -> Thread:
        """Read one."""
        ...

    async def modify(
        self,
        tenant_id: str,
        thread_id: str,
        *,
        metadata: Metadata | Unset | None = UNSET,
        tool_resources: Json | Unset | None = UNSET,
        title: str | Unset | None = UNSET,
        assistant_id: str | Unset | None = UNSET,
    ) -> Thread:
        """Change the given fields. Raises `TooMuchMetadata`."""
        ...

    async def list(self, tenant_id: str, request: PageRequest, metadata: Metadata | None = None) -> Page[Thread]:
        """Read one page, of those alone whose metadata has all of the given pairs."""
        ...

    async def delete(self, tenant_id: str, thread_id: str) -> None:
        """Delete a thread and all that is in it; an active run is cancelled with it."""
        ...


class MessageStore(Protocol):
    """The messages of all threads."""

    async def create(self, tenant_id: str, thread_id: str, draft: NewMessage, *, in_turn: bool = False) -> Message:
        """Add a message. Raises `ThreadBusy` while a run is active, and `ThreadFull`.

        With `in_turn` it has to be one that may follow what was said: raises `Unanswerable`, too.
        """
        ...

    async def modify(self, tenant_id: str, thread_id: str, message_id: str, metadata: Metadata | None) -> Message:
        """Change the metadata. Raises `TooMuchMetadata`."""
        ...

    async def delete(self, tenant_id: str, thread_id: str, message_id: str) -> None:
        """Delete one. Raises `ThreadBusy` while a run is active."""
        ...

    async def get(self, tenant_id: str, thread_id: str, message_id: str) -> Message:
        """Read one."""
        ...

    async def list(
        self, tenant_id: str, thread_id: str, request: PageRequest, run_id: str | None = None
    ) -> Page[Message]:
        """Read one page of a thread, or of what one run wrote in it."""
        ...


class RunStore(Protocol):
    """The runs of all threads, with their steps. `stream_slot` is where the text of a run that is read is sent."""

    async def start(
        self,
        tenant_id: str,
        thread_id: str,
        draft: NewRun,
        messages: Sequence[NewMessage] = (),
        *,
        stream_slot: int | None = None,
    ) -> Run:
        """Start a run with additional messages. Raises `ThreadBusy` while another one is active."""
        ...

    async def start_on_new_thread(
        self, tenant_id: str, thread: NewThread, draft: NewRun, *, stream_slot: int | None = None
    ) -> Run:
        """Make a thread and start a run on it, in one commit."""
        ...

    async def get(self, tenant_id: str, thread_id: str, run_id: str) -> Run:
        """Read one."""
        ...

    async def modify(self, tenant_id: str, thread_id: str, run_id: str, metadata: Metadata | None) -> Run:
        """Change the metadata. Raises `TooMuchMetadata`."""
        ...

    async def list(self, tenant_id: str, thread_id: str, request: PageRequest) -> Page[Run]:
        """Read one page."""
        ...

    async def cancel(self, tenant_id: str, thread_id: str, run_id: str) -> Run:
        """Cancel a run, or ask its worker to. Raises `IllegalMove`."""
        ...

    async def submit_outputs(
        self,
        tenant_id: str,
        thread_id: str,
        run_id: str,
        outputs: Sequence[tuple[str, str]],
        *,
        stream_slot: int | None = None,
    ) -> Run:
        """Store the client's outputs, all of them. Raises `OutputsNotAccepted` and `WrongOutputs`."""
        ...

    async def answer(self, tenant_id: str, thread_id: str, run_id: str, outputs: Sequence[tuple[str, str]]) -> Run:
        """Store outputs of some calls, whoever should answer them; the first counts.

        Raises `WrongOutputs` for calls that the run never had, and `OutputsNotAccepted` for open ones of an ended run.
        """
        ...

    async def find(self, tenant_id: str, run_id: str) -> Run:
        """Read a run by its id alone."""
        ...

    async def open_calls(self, tenant_id: str, thread_id: str, run_id: str) -> tuple[ToolCall, ...]:
        """Read the calls that a run waits for, the client's and those of services."""
        ...

    async def tool_calls(self, tenant_id: str, run_id: str) -> tuple[ToolCall, ...]:
        """Read all calls of a run, with their outputs."""
        ...

    async def find_call(self, tenant_id: str, call_id: str) -> tuple[Run, ToolCall]:
        """Read a call by its id alone, with its run."""
        ...

    async def get_step(self, tenant_id: str, thread_id: str, run_id: str, step_id: str) -> RunStep:
        """Read one step."""
        ...

    async def list_steps(self, tenant_id: str, thread_id: str, run_id: str, request: PageRequest) -> Page[RunStep]:
        """Read one page of steps."""
        ...


class ImportStore(Protocol):
    """Takes objects of another installation, or of OpenAI."""

    async def store(self, tenant_id: str, objects: Iterable[tuple[int, ImportedObject]]) -> Mapping[str, int]:
        """Store all of them under their own ids; return how many of each kind. Raises `ImportRefused`."""
        ...


class ExportStore(Protocol):
    """Gives everything of a tenant."""

    def pages(self, tenant_id: str, thread_id: str | None = None) -> AsyncGenerator[Sequence[ImportedObject], None]:
        """Give pages of objects, nothing before what it belongs to. Raises `NotFound` for the thread."""
        ...
