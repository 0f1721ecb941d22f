"""What the application needs of the world. `adapters` has the real things, the tests have small ones of their own."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from run_engine.domain.objects import Json, Message, Run, RunStep
from run_engine.store.driving import Said
from run_engine.store.streams import StoredEvent

from run_orchestrator.application.ending import CutShort, Failed, Finished, Parked
from run_orchestrator.application.prompt import Prompt
from run_orchestrator.application.reply import Piece


class Model(Protocol):
    """A language model."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[Sequence[Piece], None]:
        """Asks once and gives the reply as it arrives, all pieces of one arrival together; its end is the reply's end.

        Raises `ModelFailure`. Closing the generator, or cancelling the task that waits for it, stops the model.
        """
        ...


class RunStore(Protocol):
    """The runs of the engine, as their driver sees them.

    Everything raises `DatabaseUnavailable`; the writes of a claimed run raise `Fenced` once it is not this worker's.
    """

    async def claim(self, tenant_id: str, run_id: str) -> Run | None:
        """Takes a queued run; None when there is nothing to take."""
        ...

    async def queued(self, limit: int) -> Sequence[tuple[str, str]]:
        """(tenant id, run id) of the runs that have waited longest."""
        ...

    async def history(self, run: Run, *, messages: int, characters: int) -> Sequence[Message]:
        """The newest messages of the run's thread, newest first, until either bound is reached; never none of some."""
        ...

    async def steps(self, run: Run) -> Sequence[RunStep]:
        """All steps of the run, oldest first."""
        ...

    async def allowed_services(self, tenant_id: str) -> frozenset[str]:
        """The tool services that a tenant's runs may use."""
        ...

    async def open_step(self, run: Run, step_id: str, message_id: str | None) -> StoredEvent | None:
        """Begins a step in the open, one that writes the message or calls tools if None; returns its event.

        Again changes nothing, and returns None.
        """
        ...

    async def say(self, run: Run, said: Said) -> None:
        """Stores a message that does not end the run. Again changes nothing."""
        ...

    async def abandon_step(self, run: Run, reason: str) -> None:
        """Fails the step that was begun in the open, if there is one."""
        ...

    async def finish(self, run: Run, ending: Finished) -> None:
        """Ends the run with its message."""
        ...

    async def park(self, run: Run, ending: Parked) -> None:
        """Parks the run for its calls, and asks the services."""
        ...

    async def cut_short(self, run: Run, ending: CutShort) -> None:
        """Ends the run as incomplete, without a message."""
        ...

    async def fail(self, run: Run, ending: Failed, said: list[Json] | None) -> None:
        """Ends the run with an error; `said` is the content of its open message so far."""
        ...

    async def obey_cancel(self, run: Run, said: list[Json] | None, untold: Said | None) -> None:
        """Ends a run in cancelling; changes nothing in another status. `said` as in `fail`.

        `untold` is what was written while nobody listened, to be kept as an incomplete message.
        """
        ...

    async def hand_back(self, run: Run, said: list[Json] | None) -> None:
        """Queues the run again for others, or ends it where it was to be cancelled. `said` as in `fail`."""
        ...
