"""What the engine refuses, and why. The docstring is the sentence; the data are attributes; dialects word them anew."""

from collections.abc import Sequence
from typing import Any, Literal


class EngineError(Exception):
    """Something was refused by the run engine."""


class NotFound(EngineError):
    """No such object for this tenant."""

    def __init__(self, kind: str, object_id: str) -> None:
        super().__init__(f"No {kind} found with id '{object_id}'.")
        self.kind = kind
        """assistant, thread, message, run, run step, tool call, file, user or tool."""
        self.object_id = object_id


class ThreadBusy(EngineError):
    """The thread is locked by a run that has not ended."""

    def __init__(self, thread_id: str, run_id: str) -> None:
        super().__init__(f"Thread {thread_id} has the active run {run_id}.")
        self.thread_id = thread_id
        self.run_id = run_id


class ThreadFull(EngineError):
    """The thread has no place for so many messages."""

    def __init__(self, thread_id: str, most: int) -> None:
        super().__init__(f"Thread {thread_id} cannot have more than {most} messages.")
        self.thread_id = thread_id
        self.most = most


class TooMuchMetadata(EngineError):
    """A change of metadata would leave more pairs than an object may have."""

    def __init__(self, most: int, got: int) -> None:
        super().__init__(f"An object has at most {most} pairs of metadata; these would be {got}.")
        self.most = most
        self.got = got


class TooManyTools(EngineError):
    """An assistant would get more tools than it may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"An assistant has at most {most} tools.")
        self.most = most


class IllegalMove(EngineError):
    """The run cannot do that from the status it has."""

    def __init__(self, status: str, trigger: str) -> None:
        super().__init__(f"A run in status '{status}' cannot {trigger}.")
        self.status = status
        self.trigger = trigger


class OutputsNotAccepted(EngineError):
    """The run does not wait for outputs of its client."""

    def __init__(self, status: str) -> None:
        super().__init__(f"A run in status '{status}' accepts no tool outputs.")
        self.status = status


class WrongOutputs(EngineError):
    """Outputs were given for other calls than the run waits for."""

    def __init__(self, expected: Sequence[str], got: Sequence[str]) -> None:
        super().__init__(f"Expected tool outputs for call_ids {list(expected)}, got {list(got)}")
        self.expected = tuple(expected)
        self.got = tuple(got)


class Unanswerable(EngineError):
    """An assistant cannot answer the conversation as it is (`domain.turns`)."""

    def __init__(
        self,
        reason: Literal["no_user_message", "nothing_to_answer", "calls_not_answered", "no_such_call"],
        call_ids: Sequence[str] = (),
    ) -> None:
        super().__init__(f"The conversation cannot be answered: {reason}.")
        self.reason = reason
        """No user has said anything; an assistant has the last word; calls lack outputs; an output has no call."""
        self.call_ids = tuple(call_ids)
        """The calls that the reason is about."""


class Fenced(EngineError):
    """The run is no longer this worker's: it was taken away, ended or deleted. The worker stops silently."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"Run {run_id} is not this worker's any more.")
        self.run_id = run_id


class TooManyFiles(EngineError):
    """An assistant has no place for another file."""

    def __init__(self, most: int) -> None:
        super().__init__(f"An assistant has at most {most} files.")
        self.most = most


class FileQuotaExceeded(EngineError):
    """The tenant's files would take more room than they may."""


class UploadGivenUp(EngineError):
    """The upload was silent for so long that its bytes were taken for nobody's."""


class KeyInUse(EngineError):
    """Another request with the same idempotency key has not been answered yet."""


class KeyReused(EngineError):
    """The idempotency key was used for another request before."""


class DatabaseUnavailable(EngineError):
    """PostgreSQL cannot be reached, hangs, went away in the middle or refuses to work; the same may succeed later.

    Whether the last commit happened is not known.
    """


class DatabaseUrlUnusable(EngineError):
    """The address of the database cannot be read. The text repeats no part of it: any part may be of the password."""

    def __init__(self) -> None:
        super().__init__(
            "The database URL cannot be read: THREADWORKS_DATABASE_URL must be postgresql://user:password@host/name, "
            "with special characters of the password percent-encoded ('/' is %2F)."
        )


class DatabaseRefused(EngineError):
    """PostgreSQL answers, and lets this process in never: who it is, its password or the database's name are wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"PostgreSQL refuses the connection ({reason}): THREADWORKS_DATABASE_URL has to name a user with its "
            "password, and a database that is there."
        )


class SchemaUnsuitable(EngineError):
    """The database's schema and this code do not fit each other."""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts
