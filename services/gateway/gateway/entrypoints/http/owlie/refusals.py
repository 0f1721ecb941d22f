"""What a client of `/api` is told when something is refused: status and `{"detail": …}`.

Whatever is wrong with an encrypted id, the words are the same: nobody learns whether there is such a thing.
"""

from http import HTTPStatus
from typing import Final

import orjson
from file_store import FileStoreUnavailable
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
    UploadGivenUp,
    WrongOutputs,
)

from gateway.application.credentials import CredentialRefused, KeysNotKnown
from gateway.application.streams.hub import StreamsEnd
from gateway.application.streams.texts import AnswerFailed
from gateway.application.waiting import StillRunning
from gateway.entrypoints.http.body import BodyTooLarge
from gateway.entrypoints.http.endpoint import MethodNotAllowed, UnknownRoute
from gateway.entrypoints.http.exchange import Reply
from gateway.entrypoints.http.idempotency import LONGEST_KEY, KeyMalformed
from gateway.entrypoints.http.multipart import Malformed
from gateway.entrypoints.http.owlie.encrypted_ids import UnknownToken
from gateway.entrypoints.http.request_limit import TooManyRequests


class Refusal(Exception):
    """A refused request, as the client is told. `detail` never holds an id that is encrypted on this wire."""

    def __init__(
        self, status: int, detail: str, *, member: str = "detail", headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(detail)
        self.status = int(status)
        self.detail = detail
        self.member = member
        self.headers = headers

    def reply(self) -> Reply:
        """Return it as it is sent."""
        return Reply(self.status, orjson.dumps({self.member: self.detail}), self.headers)


UNEXPECTED: Final = Refusal(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "The server had an error. If it happens again, look for the x-request-id of this reply in the server's log.",
)
"""The reply to what nobody has thought of. It tells nothing of it."""

_SOON: Final = ((b"retry-after", b"1"),)


def refusal_of(error: Exception) -> Refusal:
    """Return what a client is told of `error`."""
    if isinstance(error, Refusal):
        return error
    return _unacceptable(error) or _conflict(error) or _outcome(error) or _outage(error) or UNEXPECTED


def _unacceptable(error: Exception) -> Refusal | None:
    """What is wrong with the request itself."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    match error:
        case UnknownToken(kind=kind) | NotFound(kind=kind):
            status, detail = HTTPStatus.NOT_FOUND, f"No {kind} has this id."
        case UnknownRoute():
            status, detail = HTTPStatus.NOT_FOUND, "Not Found"
        case MethodNotAllowed(allowed=allowed):
            status, detail = HTTPStatus.METHOD_NOT_ALLOWED, "Method Not Allowed"
            headers = ((b"allow", ", ".join(allowed).encode()),)
        case BodyTooLarge(limit=limit):
            status, detail = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"It is too large: at most {limit} bytes are taken."
        case TooManyRequests(seconds=seconds):
            status, detail = HTTPStatus.TOO_MANY_REQUESTS, f"Too many requests: wait for {seconds} seconds."
            headers = ((b"retry-after", b"%d" % seconds),)
        case Malformed():
            status, detail = HTTPStatus.UNPROCESSABLE_ENTITY, f"The form could not be read: {error}."
        case KeyMalformed():
            status, detail = HTTPStatus.BAD_REQUEST, f"An Idempotency-Key has 1 to {LONGEST_KEY} characters."
        case CredentialRefused():
            status, detail = HTTPStatus.UNPROCESSABLE_ENTITY, str(error)
        case WrongOutputs(got=got):
            status, detail = HTTPStatus.UNPROCESSABLE_ENTITY, f"The run has no such tool call: {_named(got)}."
        case _:
            return None
    return Refusal(status, detail, headers=headers)


def _conflict(error: Exception) -> Refusal | None:
    """What the engine does not do because of where things stand."""
    detail = None
    match error:
        case ThreadBusy(run_id=run_id):
            detail = f"The thread is still being answered: run {run_id} has not ended."
        case ThreadFull(most=most):
            detail = f"The thread is full: it has {most} messages."
        case IllegalMove(status=status) | OutputsNotAccepted(status=status):
            detail = f"The run does not take that now: it is {status}."
        case KeyReused():
            detail = "The Idempotency-Key was used for another request."
        case KeyInUse():
            return Refusal(HTTPStatus.CONFLICT, "A request with this Idempotency-Key is under way.", headers=_SOON)
        case FileQuotaExceeded():
            detail = "There is no room for more files."
    return None if detail is None else Refusal(HTTPStatus.CONFLICT, detail)


def _outcome(error: Exception) -> Refusal | None:
    """What became of an answer that was waited for."""
    match error:
        case StillRunning(run=run):
            detail = f"The answer takes longer than a request may: run {run.id} goes on."
            return Refusal(HTTPStatus.GATEWAY_TIMEOUT, detail)
        case AnswerFailed(run=run):
            reason = (run.last_error or {}).get("message")
            detail = f"The answer could not be written: run {run.id} is {run.status}."
            return Refusal(HTTPStatus.BAD_GATEWAY, f"{detail} {reason}" if reason else detail)
    return None


def _outage(error: Exception) -> Refusal | None:
    match error:
        case DatabaseUnavailable():
            detail = "The server cannot reach its database at the moment. Please try again."
        case KeysNotKnown():
            detail = "The server cannot reach its tool services at the moment. Please try again."
        case FileStoreUnavailable():
            detail = "The server cannot reach the store of its files at the moment. Please try again."
        case StreamsEnd():
            detail = "The server shuts down. The answer is still written: read the thread in a moment."
        case UploadGivenUp():
            return Refusal(HTTPStatus.REQUEST_TIMEOUT, "The upload took too long. Please try again.")
        case _:
            return None
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=_SOON)


def _named(call_ids: tuple[str, ...]) -> str:
    return ", ".join(call_id[:64] for call_id in call_ids[:16])
