"""Objects that come from elsewhere with ids of their own: which of them can be stored, and what becomes of their calls.

The store hands in what it has locked and read; this decides over all of one request at once. Nothing is written unless
everything can be.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from run_engine.domain.files import File
from run_engine.domain.import_errors import BelongsElsewhere, ComesTwice, MadeHere
from run_engine.domain.objects import Assistant, Message, Run, RunStep, Thread, Tool, User
from run_engine.errors import EngineError, NotFound, ThreadBusy

ImportedObject = Assistant | File | User | Tool | Thread | Message | Run | RunStep

KINDS: Final[Mapping[type[ImportedObject], str]] = {
    Assistant: "assistant",
    File: "file",
    User: "user",
    Tool: "tool",
    Thread: "thread",
    Message: "message",
    Run: "run",
    RunStep: "run step",
}
"""The words for the kinds, as in `NotFound`."""


@dataclass(frozen=True, slots=True)
class ImportRefusal:
    """Why one object cannot be stored."""

    index: int
    """Its place in the request."""
    reason: EngineError
    field: str | None
    """The field that is to blame; None where it is the object as a whole."""


class ImportRefused(EngineError):
    """At least one object of a request cannot be stored, so none was."""

    def __init__(self, refused: Sequence[ImportRefusal]) -> None:
        super().__init__(f"{len(refused)} objects cannot be stored")
        self.refused = tuple(refused)


@dataclass(slots=True)
class ImportBatch:
    """The objects of one request by id, each kind in the request's order."""

    assistants: dict[str, Assistant] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    tools: dict[str, Tool] = field(default_factory=dict)
    threads: dict[str, Thread] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    steps: dict[str, RunStep] = field(default_factory=dict)
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    """Where in the request (kind, id) stands."""

    def of_kind(self, kind: type[ImportedObject]) -> dict[str, Any]:
        """The objects of one kind."""
        by_kind: dict[type[ImportedObject], dict[str, Any]] = {
            Assistant: self.assistants,
            File: self.files,
            User: self.users,
            Tool: self.tools,
            Thread: self.threads,
            Message: self.messages,
            Run: self.runs,
            RunStep: self.steps,
        }
        return by_kind[kind]

    def counts(self) -> dict[str, int]:
        """How many objects there are of each kind."""
        return {word: len(self.of_kind(kind)) for kind, word in KINDS.items()}

    def touched_runs(self) -> list[str]:
        """Ids of the runs that are in the request, or have a step in it; sorted, as they are locked."""
        return sorted({*self.runs, *(step.run_id for step in self.steps.values())})

    def touched_threads(self) -> list[str]:
        """Ids of all threads that are in the request or named in it; sorted, as they are locked."""
        inner = (self.messages, self.runs, self.steps)
        return sorted({*self.threads, *(each.thread_id for kind in inner for each in kind.values())})

    def named_users(self) -> list[str]:
        """Ids of the users who take part in threads of the request; sorted, as they are locked."""
        return sorted({user_id for thread in self.threads.values() for user_id in thread.participants or ()})

    def named_assistants(self) -> list[str]:
        """Ids of the assistants that users of the request have; sorted, as they are locked."""
        return sorted({assistant_id for user in self.users.values() for assistant_id in user.assistant_ids or ()})


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What is stored of a run."""

    thread_id: str
    assistant_id: str
    created_at: datetime
    driven: bool
    waits: bool
    """Whether it is in requires_action."""


@dataclass(frozen=True, slots=True)
class StoredCall:
    """What is stored of a function call."""

    run_id: str
    step_id: str
    id: str
    name: str
    arguments: str
    is_open: bool
    stands_in: bool
    """Whether its step was made by an import, because only the run named the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the tenant has stored of the objects in a request and of what they name."""

    threads: Mapping[str, str | None]
    """By id; the value is the run that locks the thread."""
    threads_in_use: AbstractSet[str]
    """Those that a driven run locks."""
    runs: Mapping[str, StoredRun]
    messages: Mapping[str, str]
    """By id; the value is the thread."""
    steps: Mapping[str, str]
    """By id; the value is the run."""
    files_with_bytes: AbstractSet[str]
    calls: Sequence[StoredCall]
    """Of all touched runs."""
    users: AbstractSet[str] = frozenset()
    """Those of the users that threads of the request name."""
    assistants: AbstractSet[str] = frozenset()
    """Those of the assistants that users of the request name."""


def gather(objects: Iterable[tuple[int, ImportedObject]]) -> tuple[ImportBatch, list[ImportRefusal]]:
    """The objects by kind and id. The same object twice counts once; two different ones under one id are refused."""
    batch = ImportBatch()
    refused = []
    for index, each in objects:
        same_kind = batch.of_kind(type(each))
        known = same_kind.setdefault(each.id, each)
        kind = KINDS[type(each)]
        if known is each:
            batch.places[kind, each.id] = index
        elif known != each:
            refused.append(ImportRefusal(index, ComesTwice(kind, each.id), "id"))
    return batch, refused


def refusals(batch: ImportBatch, stored: Stored) -> list[ImportRefusal]:
    """Everything that cannot be stored, in the order of the request."""
    found = [
        *_refused_files(batch, stored),
        *_refused_users(batch, stored),
        *_refused_threads(batch, stored),
        *_refused_messages(batch, stored),
        *_refused_runs(batch, stored),
        *_refused_steps(batch, stored),
    ]
    return sorted(found, key=lambda refusal: refusal.index)


def new_locks(batch: ImportBatch, stored: Stored) -> dict[str, str | None]:
    """The threads whose lock the request changes, with the run that holds it then."""
    locks: dict[str, str | None] = {}
    for run in batch.runs.values():
        if not run.status.ended:
            locks[run.thread_id] = run.id
        elif stored.threads.get(run.thread_id) == run.id:
            locks.setdefault(run.thread_id, None)
    return locks


def _refused_files(batch: ImportBatch, stored: Stored) -> Iterable[ImportRefusal]:
    for file_id in batch.files:
        if file_id in stored.files_with_bytes:
            yield ImportRefusal(batch.places["file", file_id], MadeHere("file", file_id), "id")


def _refused_users(batch: ImportBatch, stored: Stored) -> Iterable[ImportRefusal]:
    for user in batch.users.values():
        unknown = (
            each for each in user.assistant_ids or () if each not in batch.assistants and each not in stored.assistants
        )
        missing = next(unknown, None)
        if missing is not None:
            yield ImportRefusal(batch.places["user", user.id], NotFound("assistant", missing), "assistant_ids")


def _refused_threads(batch: ImportBatch, stored: Stored) -> Iterable[ImportRefusal]:
    for thread in batch.threads.values():
        unknown = (each for each in thread.participants or () if each not in batch.users and each not in stored.users)
        missing = next(unknown, None)
        if missing is not None:
            yield ImportRefusal(batch.places["thread", thread.id], NotFound("user", missing), "participants")


def _refused_messages(batch: ImportBatch, stored: Stored) -> Iterable[ImportRefusal]:
    for message in batch.messages.values():
        index = batch.places["message", message.id]
        thread_id = message.thread_id
        if thread_id not in batch.threads and thread_id not in stored.threads:
            yield ImportRefusal(index, NotFound("thread", thread_id), "thread_id")
        elif stored.messages.get(message.id, thread_id) != thread_id:
            owner = stored.messages[message.id]
            yield ImportRefusal(index, BelongsElsewhere("message", message.id, "thread", owner), "thread_id")
        elif thread_id in stored.threads_in_use:
            yield ImportRefusal(index, ThreadBusy(thread_id, stored.threads[thread_id] or ""), "thread_id")


def _refused_runs(batch: ImportBatch, stored: Stored) -> Iterable[ImportRefusal]:
    holders: dict[str, str] = {}
    for run in batch.runs.values():
        index = batch.places["run", run.id]
        known = stored.runs.get(run.id)
        if run.thread_id not in batch.threads and run.thread_id not in stored.threads:
            yield ImportRefusal(index, NotFound("thread", run.thread_id), "thread_id")
        elif known is not None and known.driven:
            yield ImportRefusal(index, MadeHere("run", run.id), "id")
        elif known is not None and known.thread_id != run.thread_id:
            yield ImportRefusal(index, BelongsElsewhere("run", run.id, "thread", known.thread_id), "thread_id")
        elif not run.status.ended:
            holder = holders.setdefault(run.thread_id, _kept_lock(run.thread_id, batch, stored) or run.id)
            if holder != run.id:
                yield ImportRefusal(index, ThreadBusy(run.thread_id, holder), "thread_id")


def _kept_lock(thread_id: str, batch: ImportBatch, stored: Stored) -> str | None:
    """The stored run that locks a thread now, and will still when the request is done."""
    holder = stored.threads.get(thread_id)
    if holder is None:
        return None
    again = batch.runs.get(holder)
    gives_way = again is not None and again.status.ended and not stored.runs[holder].driven
    return None if gives_way else holder


def _refused_steps(batch: ImportBatch, stored: Stored) -> Iterable[ImportRefusal]:
    owners = steps_of_calls(batch, stored)
    for step in batch.steps.values():
        index = batch.places["run step", step.id]
        known = stored.runs.get(step.run_id)
        run = batch.runs.get(step.run_id) or known
        if run is None:
            yield ImportRefusal(index, NotFound("run", step.run_id), "run_id")
        elif run.thread_id != step.thread_id:
            yield ImportRefusal(index, BelongsElsewhere("run", step.run_id, "thread", run.thread_id), "thread_id")
        elif known is not None and known.driven:
            yield ImportRefusal(index, MadeHere("run", step.run_id), "run_id")
        elif stored.steps.get(step.id, step.run_id) != step.run_id:
            reason = BelongsElsewhere("run step", step.id, "run", stored.steps[step.id])
            yield ImportRefusal(index, reason, "run_id")
        else:
            wrong = _wrong_call(step, owners)
            if wrong is not None:
                yield ImportRefusal(index, wrong, "step_details.tool_calls")


def _wrong_call(step: RunStep, owners: Mapping[tuple[str, str], Sequence[str]]) -> EngineError | None:
    """What is wrong with the first call that cannot be stored."""
    for call in step.tool_calls:
        same = owners[step.run_id, call.id]
        other = next((owner for owner in same if owner != step.id), None)
        if other is not None:
            return BelongsElsewhere("tool call", call.id, "run step", other)
        if len(same) > 1:
            return ComesTwice("tool call", call.id)
    return None


def steps_of_calls(batch: ImportBatch, stored: Stored) -> dict[tuple[str, str], list[str]]:
    """The steps that each (run, call) would be in. Steps of the request replace what is stored of them."""
    owners: dict[tuple[str, str], list[str]] = {}
    for call in stored.calls:
        if not call.stands_in and call.step_id not in batch.steps:
            owners.setdefault((call.run_id, call.id), []).append(call.step_id)
    for step in batch.steps.values():
        for inner in step.tool_calls:
            owners.setdefault((step.run_id, inner.id), []).append(step.id)
    return owners
