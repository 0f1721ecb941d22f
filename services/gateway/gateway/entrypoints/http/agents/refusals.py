"""What a client of `/agents` is told when something is refused: status and `{"error_code", "detail"}`.

The codes and their sentences are the original's. The detail of `validation_error` is a list of what is wrong, that of
all others a sentence; where the original has no code for what happens here, a code of our own says it.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from run_engine.domain.status import RunStatus
from run_engine.errors import (
    DatabaseUnavailable,
    KeyInUse,
    KeyReused,
    NotFound,
    OutputsNotAccepted,
    ThreadBusy,
    ThreadFull,
    Unanswerable,
)

from gateway.application.answering import NoAnswer, NoAssistant
from gateway.application.credentials import CredentialRefused, KeysNotKnown
from gateway.application.streams.hub import StreamsEnd
from gateway.application.waiting import StillRunning
from gateway.entrypoints.http.body import BodyTooLarge
from gateway.entrypoints.http.endpoint import MethodNotAllowed, UnknownRoute
from gateway.entrypoints.http.exchange import Reply
from gateway.entrypoints.http.idempotency import LONGEST_KEY, KeyMalformed
from gateway.entrypoints.http.request_limit import TooManyRequests

MOST_CALLS_NAMED: Final = 16
LONGEST_NAME: Final = 64
"""Characters of the client's own names that a reply repeats, at the most."""

Place = Sequence[str | int]
"""Where something is wrong: `body`, `query`, `path` or `header`, then the names and numbers that lead there."""


class Refusal(Exception):
    """A refused request, as the client is told. `detail` never holds a key or anything of another tenant."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str | list[dict[str, Any]],
        *,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers

    def envelope(self) -> bytes:
        """Return it as JSON."""
        return orjson.dumps({"error_code": self.code, "detail": self.detail})

    def reply(self) -> Reply:
        """Return it as a whole reply."""
        return Reply(self.status, self.envelope(), self.headers)


class NoStreaming(Exception):
    """The assistant's answers are of no use in parts."""


def violation(place: Place, message: str, kind: str = "value_error") -> Refusal:
    """Return the refusal of a request that has one thing wrong with it."""
    return violations([{"loc": list(place), "message": message, "type": kind}])


def violations(found: list[dict[str, Any]]) -> Refusal:
    """Return the refusal of a request that has these things wrong with it."""
    return Refusal(422, "validation_error", found)


def unavailable(status: int = 503, *, after: int = 1) -> Refusal:
    """Return the refusal of what cannot be done now, after so many seconds perhaps."""
    return Refusal(
        status,
        "internal_service_error",
        "An internal service required for processing the request is currently unavailable. Please try again later.",
        headers=((b"retry-after", b"%d" % after),),
    )


def rate_limited(seconds: int) -> Refusal:
    """Return the refusal of one request too many."""
    return Refusal(429, "rate_limit_gateway", "Rate limit exceeded", headers=((b"retry-after", b"%d" % seconds),))


def timed_out() -> Refusal:
    """Return the refusal of a request that has waited for as long as it may."""
    return Refusal(504, "api_timeout_error", "OpenAI API request timed out.")


def refusal_of(error: Exception) -> Refusal:
    """Return what a client is told of `error`; anything unexpected becomes a 500 that tells nothing of it."""
    match error:
        case Refusal():
            return error
        case TooManyRequests(seconds=seconds):
            return rate_limited(seconds)
        case NoStreaming():
            return Refusal(
                409,
                "engine_does_not_support_streaming",
                "The selected engine does not support streaming responses. Please use the non-streaming endpoint.",
            )
        case _:
            known = _http_refusal(error) or _thread_refusal(error) or _run_refusal(error) or _key_refusal(error)
            return known or unavailable(500)


def _http_refusal(error: Exception) -> Refusal | None:
    match error:
        case UnknownRoute():
            return Refusal(404, "resource_not_found", "Resource not found")
        case MethodNotAllowed(allowed=allowed):
            allow = ((b"allow", ", ".join(allowed).encode()),)
            return Refusal(405, "method_not_allowed", "Method not allowed", headers=allow)
        case BodyTooLarge(limit=limit):
            return Refusal(413, "request_too_large", f"The request body has more than {limit} bytes")
        case _:
            return None


def _thread_refusal(error: Exception) -> Refusal | None:
    refusal = None
    match error:
        case NotFound(kind="assistant") | NoAssistant():
            refusal = Refusal(403, "assistant_not_available", "Assistant not available to your tenant")
        # No request names a run: one that is missing has gone with its thread.
        case NotFound(kind="thread" | "run"):
            refusal = Refusal(404, "thread_not_found", "Thread not found")
        case NotFound():
            refusal = Refusal(404, "resource_not_found", "Resource not found")
        case ThreadFull(most=most):
            refusal = violation(["path", "thread_id"], f"A thread has at most {most} messages", "thread_full")
        case ThreadBusy() | OutputsNotAccepted():
            refusal = Refusal(
                409,
                "thread_busy",
                "The thread is being answered: wait for the answer with /run, or answer its tool calls",
                headers=((b"retry-after", b"1"),),
            )
        case Unanswerable(reason=reason, call_ids=call_ids):
            refusal = violation(["path", "thread_id"], _why_unanswerable(reason, call_ids), reason)
    return refusal


def _run_refusal(error: Exception) -> Refusal | None:
    match error:
        case StillRunning():
            return timed_out()
        case NoAnswer(run=run):
            code = (run.last_error or {}).get("code")
            if code == "rate_limit_exceeded":
                return rate_limited(20)
            if code == "invalid_prompt":
                message = "The model does not take the conversation as it is: it may be too long"
                return violation(["path", "thread_id"], message, "invalid_prompt")
            return timed_out() if run.status is RunStatus.EXPIRED else unavailable()
        case DatabaseUnavailable() | StreamsEnd() | KeysNotKnown():
            return unavailable()
        case _:
            return None


def _key_refusal(error: Exception) -> Refusal | None:
    match error:
        case KeyMalformed():
            message = f"String should have 1 to {LONGEST_KEY} characters, and no control characters"
            return violation(["header", "idempotency-key"], message)
        case CredentialRefused():
            return violation(["header", "x-tool-credential"], str(error))
        case KeyReused():
            return Refusal(409, "idempotency_key_reused", "The Idempotency-Key was used for another request before")
        case KeyInUse():
            message = "A request with this Idempotency-Key has not been answered yet"
            return Refusal(409, "idempotency_key_in_use", message, headers=((b"retry-after", b"1"),))
        case _:
            return None


def _why_unanswerable(reason: str, call_ids: Sequence[str]) -> str:
    named = ", ".join(call_id[:LONGEST_NAME] for call_id in call_ids[:MOST_CALLS_NAMED])
    match reason:
        case "no_user_message":
            return "The thread must contain at least one user message"
        case "nothing_to_answer":
            return "The last message of the thread must be a user or tool message"
        case "calls_not_answered":
            return f"Tool messages are missing for the tool_call_ids: {named}"
        case _:
            return f"There is no assistant message that asks for the tool_call_id: {named}"
