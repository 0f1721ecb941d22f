"""What a client of `/v1` is told when something is refused: status and `{"error": {message, type, param, code}}`.

The sentences are OpenAI's: apps and SDKs look for them. What the engine and the HTTP layer raise is turned into one
here; what is wrong with a request's fields is worded in `requests.wording`.
"""

from collections.abc import Sequence
from typing import Final

import orjson
from file_store import BytesMissing, FileStoreUnavailable
from run_engine.errors import (
    DatabaseUnavailable,
    FileQuotaExceeded,
    IllegalMove,
    KeyInUse,
    KeyReused,
    NotFound,
    OutputsNotAccepted,
    ThreadBusy,
    ThreadFull,
    TooManyFiles,
    TooMuchMetadata,
    UploadGivenUp,
    WrongOutputs,
)

from gateway.application.credentials import CredentialRefused, KeysNotKnown
from gateway.application.event_feed.feed import FeedEnds, TooManySubscribers
from gateway.application.ports import ModelServerAway
from gateway.application.streams.hub import StreamsEnd
from gateway.entrypoints.http.body import BodyTooLarge, FileTooLarge
from gateway.entrypoints.http.endpoint import MethodNotAllowed, UnknownRoute
from gateway.entrypoints.http.exchange import Reply
from gateway.entrypoints.http.idempotency import LONGEST_KEY, KeyMalformed
from gateway.entrypoints.http.multipart import Malformed
from gateway.entrypoints.http.openai.presenters.words import shown_status

LONGEST_ECHO: Final = 64
"""Characters of the client's own text that a message repeats at most."""

_MOST_CALLS_NAMED: Final = 128


class Refusal(Exception):
    """A refused request, as the client is told. `message` never holds a key or anything of another tenant."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.kind = kind
        self.headers = headers

    def reply(self) -> Reply:
        """Return it in the envelope."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return Reply(self.status, orjson.dumps({"error": error}), self.headers)


_UNEXPECTED: Final = Refusal(
    500,
    "The server had an error while processing your request. If it happens again, look for the x-request-id of this "
    "reply in the server's log.",
    kind="server_error",
)


def refusal_of(error: Exception, method: str, path: str) -> Refusal:
    """Return what a client is told of `error`; anything unexpected becomes a 500 that tells nothing of it."""
    match error:
        case Refusal():
            return error
        case UnknownRoute():
            return Refusal(404, f"Invalid URL ({method} {clip(path, 256)})")
        case MethodNotAllowed(allowed=allowed):
            allow = ((b"allow", ", ".join(allowed).encode()),)
            return Refusal(405, f"Not allowed to {method} on {clip(path, 256)}.", headers=allow)
        case FileTooLarge(limit=limit):
            message = f"File is too large. The maximum size is {limit} bytes."
            return Refusal(413, message, param="file", code="file_too_large")
        case BodyTooLarge(limit=limit):
            message = f"The request body is too large: at most {limit} bytes are accepted."
            return Refusal(413, message, code="request_too_large")
        case _:
            found = _engine_refusal(error) or _file_refusal(error) or _key_refusal(error) or _feed_refusal(error)
            return found or _credential_refusal(error) or _UNEXPECTED


def _engine_refusal(error: Exception) -> Refusal | None:
    refusal = None
    match error:
        case NotFound(kind="model", object_id=object_id):
            message = f"The model '{clip(object_id)}' does not exist"
            refusal = Refusal(404, message, param="model", code="model_not_found")
        case NotFound(kind=kind, object_id=object_id):
            refusal = Refusal(404, f"No {kind} found with id '{clip(object_id)}'.")
        case ThreadBusy(thread_id=thread_id, run_id=run_id):
            refusal = Refusal(400, f"Thread {thread_id} already has an active run {run_id}.")
        case ThreadFull(thread_id=thread_id, most=most):
            message = f"Can't add messages to {thread_id}: a thread has at most {most} messages."
            refusal = Refusal(400, message, code="message_limit_exceeded")
        case TooManyFiles(most=most):
            message = f"Invalid 'file_id': too many files. An assistant has at most {most}."
            refusal = Refusal(400, message, param="file_id", code="file_limit_exceeded")
        case TooMuchMetadata(most=most, got=got):
            refusal = too_many_properties("metadata", most, got)
        case IllegalMove(status=status):
            refusal = Refusal(400, f"Cannot cancel run with status '{shown_status(status)}'.")
        case OutputsNotAccepted(status=status):
            refusal = Refusal(400, f'Runs in status "{shown_status(status)}" do not accept tool outputs.')
        case WrongOutputs(expected=expected, got=got):
            message = f"Expected tool outputs for call_ids {_named(expected)}, got {_named(got)}"
            refusal = Refusal(400, message, param="tool_outputs")
        case ModelServerAway():
            refusal = _unavailable(
                "The server cannot reach the server of its models at the moment. Please try again.",
                retry_after=5,
            )
        case DatabaseUnavailable():
            refusal = _unavailable("The server cannot reach its database at the moment. Please try again.")
        case StreamsEnd():
            refusal = _unavailable(
                "The server shuts down. The run goes on: stream its events after the last one that you were told "
                "(Last-Event-ID), or retrieve it.",
                retry_after=None,
            )
    return refusal


def _unavailable(message: str, *, retry_after: int | None = 1) -> Refusal:
    """Return the refusal of what cannot be done now; `retry_after` in seconds, None where nothing is to be repeated."""
    headers = () if retry_after is None else ((b"retry-after", b"%d" % retry_after),)
    return Refusal(503, message, kind="server_error", code="service_unavailable", headers=headers)


def _feed_refusal(error: Exception) -> Refusal | None:
    match error:
        case TooManySubscribers(most=most):
            message = f"Too many streams of events: there may be {most} at once. Close one, or try again later."
            return Refusal(429, message, code="too_many_subscribers", headers=((b"retry-after", b"5"),))
        case FeedEnds():
            return _unavailable("The server shuts down. Connect again, with the id of the last event that you have.")
    return None


def _credential_refusal(error: Exception) -> Refusal | None:
    match error:
        case CredentialRefused():
            return Refusal(400, str(error), param="X-Tool-Credential", code="tool_credential_refused")
        case KeysNotKnown():
            return _unavailable("The server cannot reach its tool services at the moment. Please try again.")
    return None


def _key_refusal(error: Exception) -> Refusal | None:
    refusal = None
    match error:
        case KeyMalformed():
            message = (
                f"Invalid 'Idempotency-Key' header: expected 1 to {LONGEST_KEY} characters, and no control characters."
            )
            refusal = Refusal(400, message, code="invalid_idempotency_key")
        # The SDKs take a 409 for a lock and try again, unless they are told not to.
        case KeyReused():
            refusal = Refusal(
                409,
                "Idempotency-Key is already used: the first request with this key had another body or content type. "
                "Repeat that request as it was, or use a new key.",
                code="idempotency_key_reused",
                headers=((b"x-should-retry", b"false"),),
            )
        case KeyInUse():
            refusal = Refusal(
                409,
                "A request is outstanding for this Idempotency-Key. Please try again.",
                code="idempotency_key_in_use",
                headers=((b"retry-after", b"1"), (b"x-should-retry", b"true")),
            )
    return refusal


def _file_refusal(error: Exception) -> Refusal | None:
    match error:
        case Malformed():
            return Refusal(400, f"We could not parse the multipart form of your request: {error}.")
        case FileQuotaExceeded():
            message = "Your files would exceed the storage that you may use. Delete files that you no longer need."
            return Refusal(400, message, code="storage_quota_exceeded")
        case UploadGivenUp():
            return Refusal(408, "Your upload took too long and was given up. Please try again.", code="upload_timeout")
        case BytesMissing():
            return Refusal(404, "The content of this file is not stored here.", code="content_not_found")
        case FileStoreUnavailable():
            return _unavailable("The server cannot reach the store of its files at the moment. Please try again.")
    return None


def message_on_busy_thread(error: ThreadBusy) -> Refusal:
    """Return the refusal of a new message; `refusal_of` words the same error for a new run."""
    return Refusal(400, f"Can't add messages to {error.thread_id} while a run {error.run_id} is active.")


def deletion_on_busy_thread(error: ThreadBusy) -> Refusal:
    """Return the refusal of a deletion of a message: OpenAI's words for the same lock."""
    return Refusal(400, f"Can't delete messages from {error.thread_id} while a run {error.run_id} is active.")


def too_many_properties(path: str, most: int, got: int) -> Refusal:
    """Return the refusal of an object that has too many members."""
    message = (
        f"Invalid '{path}': too many properties. "
        f"Expected an object with at most {most} properties, but got an object with {got} properties instead."
    )
    return Refusal(400, message, param=path, code="object_above_max_properties")


def clip(text: str, longest: int = LONGEST_ECHO) -> str:
    """Return `text`, cut where it is longer than a message should repeat."""
    return text if len(text) <= longest else f"{text[:longest]}..."


def _named(call_ids: Sequence[str]) -> str:
    return str([clip(call_id) for call_id in call_ids[:_MOST_CALLS_NAMED]])


MALFORMED: Final = Refusal(400, "We could not parse your HTTP request.").reply()
"""The reply to what is not HTTP at all."""

HEAD_TOO_LARGE: Final = Refusal(431, "The URL and the headers of your request are too large.").reply()
"""The reply to a request whose head has no end."""
