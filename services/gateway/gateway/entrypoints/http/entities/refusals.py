"""What a client of `/entities` is told when something is refused: FastAPI's `{"detail": …}`.

The detail is a sentence, or, where a request is not what it should be (422), a list of what is wrong with it. The
sentences are the original's where it had one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from run_engine.errors import (
    DatabaseUnavailable,
    IllegalMove,
    KeyInUse,
    KeyReused,
    NotFound,
    OutputsNotAccepted,
    ThreadBusy,
    ThreadFull,
    TooManyTools,
    TooMuchMetadata,
    WrongOutputs,
)

from gateway.application.credentials import CredentialRefused, KeysNotKnown
from gateway.application.streams.hub import StreamsEnd
from gateway.entrypoints.http.body import BodyTooLarge
from gateway.entrypoints.http.endpoint import MethodNotAllowed, UnknownRoute
from gateway.entrypoints.http.exchange import Reply
from gateway.entrypoints.http.idempotency import LONGEST_KEY, KeyMalformed

_MISSING: Final[Mapping[str, str]] = {"tool call": "Action not found", "tool_call": "Action not found"}

Place = Sequence[str | int]
"""Where something is wrong: `body`, `query` or `header`, then the names and numbers that lead there."""


class Refusal(Exception):
    """A refused request, as the client is told. `detail` never holds a key or anything of another tenant."""

    def __init__(
        self, status: int, detail: str | list[dict[str, Any]], *, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(status)
        self.status = status
        self.detail = detail
        self.headers = headers

    def reply(self) -> Reply:
        """Return it in the envelope."""
        return Reply(self.status, orjson.dumps({"detail": self.detail}), self.headers)


def violation(place: Place, message: str, kind: str = "value_error") -> Refusal:
    """Return the refusal of a request that has one thing wrong with it."""
    return Refusal(422, [{"loc": list(place), "msg": message, "type": kind}])


def refusal_of(error: Exception) -> Refusal:
    """Return what a client is told of `error`; anything unexpected becomes a 500 that tells nothing of it."""
    match error:
        case Refusal():
            return error
        case UnknownRoute():
            return Refusal(404, "Not Found")
        case MethodNotAllowed(allowed=allowed):
            return Refusal(405, "Method Not Allowed", headers=((b"allow", ", ".join(allowed).encode()),))
        case BodyTooLarge(limit=limit):
            return Refusal(413, f"The request body is too large: at most {limit} bytes are accepted")
        case _:
            return _engine_refusal(error) or _key_refusal(error) or Refusal(500, "An unexpected error occurred.")


def _engine_refusal(error: Exception) -> Refusal | None:
    refusal = None
    match error:
        case NotFound(kind=kind):
            refusal = Refusal(404, _MISSING.get(kind, f"{kind.capitalize()} not found"))
        case ThreadBusy():
            refusal = Refusal(409, "The thread has a run that has not ended. Wait for it, answer it, or cancel it")
        case ThreadFull(most=most):
            refusal = Refusal(400, f"A thread has at most {most} messages")
        case TooMuchMetadata(most=most, got=got):
            message = f"Dictionary should have at most {most} items after validation, not {got}"
            refusal = violation(["body", "meta_data"], message, "too_long")
        case TooManyTools(most=most):
            refusal = Refusal(400, f"An assistant has at most {most} tools")
        case IllegalMove(status="completed" | "cancelled"):
            refusal = Refusal(400, "Cannot cancel a completed or already cancelled run")
        case IllegalMove(status=status):
            refusal = Refusal(400, f"Cannot cancel a run that is {status}")
        case OutputsNotAccepted(status=status):
            refusal = Refusal(409, f"The run waits for no action any more: it is {status}")
        case WrongOutputs():
            refusal = Refusal(404, _MISSING["tool call"])
        case DatabaseUnavailable():
            message = "The database cannot be reached at the moment. Please try again"
            refusal = Refusal(503, message, headers=((b"retry-after", b"1"),))
        case KeysNotKnown():
            message = "The tool services cannot be reached at the moment. Please try again"
            refusal = Refusal(503, message, headers=((b"retry-after", b"1"),))
        case StreamsEnd():
            refusal = Refusal(503, "The server shuts down. Please try again", headers=((b"retry-after", b"1"),))
    return refusal


def _key_refusal(error: Exception) -> Refusal | None:
    match error:
        case KeyMalformed():
            message = f"String should have 1 to {LONGEST_KEY} characters, and no control characters"
            return violation(["header", "idempotency-key"], message)
        case CredentialRefused():
            return violation(["header", "x-tool-credential"], str(error))
        case KeyReused():
            return Refusal(409, "The Idempotency-Key was used for another request before")
        case KeyInUse():
            message = "A request with this Idempotency-Key has not been answered yet. Please try again"
            return Refusal(409, message, headers=((b"retry-after", b"1"),))
    return None
