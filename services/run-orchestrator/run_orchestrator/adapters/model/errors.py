"""What the SDK, the connection and the server report, as `ModelFailure`. Pure.

Details are our own sentences; only where a server rejects a prompt does its reason go along, because the owner of the
run can mend that, and then masked and cut.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2
import openai
from observability.redaction import redact_text

from run_orchestrator.application.failures import FailureKind, ModelFailure

LONGEST_REASON: Final = 300
"""Characters of a server's reason that are passed on."""

BROKE_OFF: Final = "The model server broke off its reply."
NOT_REACHED: Final = "The model server could not be reached."
TOO_SLOW: Final = "The model server did not answer in time."
RATE_LIMIT: Final = "The model server's rate limit was reached, and it did not lift in time."
NO_QUOTA: Final = "The account at the model server has no quota left."

_OVERFLOW_CODES: Final = frozenset({"context_length_exceeded", "context_window_exceeded", "string_above_max_length"})
# Servers that speak OpenAI's API word this as they like, under 400, 413 or 422.
_OVERFLOW: Final = re.compile(
    r"context[ _-]?(length|window|size)|maximum (context|prompt|input)|prompt is too long|too many (input )?tokens"
    r"|reduce the length",
    re.IGNORECASE,
)
_QUOTA_CODES: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_TRY_AGAIN: Final = frozenset({408, 409, 425})
_ABOUT_THE_PROMPT: Final = frozenset({400, 413, 422})
_REFUSALS: Final = {
    401: "did not accept this server's key",
    403: "does not let this server use the model '{model}'",
    404: "does not know the model '{model}'",
}


def failure_of(error: openai.APIError, *, model: str, now: float) -> ModelFailure:
    """The failure behind an exception of the SDK; `now` is Unix seconds, for a `Retry-After` that is a date."""
    if isinstance(error, openai.APIStatusError):
        return failure_of_status(error.status_code, error.body, error.response.headers, model=model, now=now)
    # aiohttp's refused connections arrive as httpx2.ConnectTimeout.
    if isinstance(error, openai.APITimeoutError) and not isinstance(error.__cause__, httpx2.ConnectTimeout):
        return ModelFailure(FailureKind.UNAVAILABLE, TOO_SLOW)
    if isinstance(error, openai.APIConnectionError):
        return ModelFailure(FailureKind.UNAVAILABLE, NOT_REACHED)
    return failure_in_stream(error.body)


def failure_of_status(status: int, body: object, headers: Mapping[str, str], *, model: str, now: float) -> ModelFailure:
    """The failure behind an HTTP status; `body` is what was in the reply's `error`, or the reply's text."""
    reason = _Reason(body)
    if status == 429 and reason.code in _QUOTA_CODES:
        return ModelFailure(FailureKind.OUT_OF_QUOTA, NO_QUOTA)
    if status == 429:
        return ModelFailure(FailureKind.RATE_LIMITED, RATE_LIMIT, retry_after=retry_after(headers, now))
    if status >= 500 or status in _TRY_AGAIN:
        told = f"The model server failed (HTTP {status})."
        return ModelFailure(FailureKind.UNAVAILABLE, told, retry_after=retry_after(headers, now))
    if status in _ABOUT_THE_PROMPT:
        return _rejected(reason, f"The model server rejected the request (HTTP {status}).")
    told = _REFUSALS.get(status, "refused the request").format(model=model)
    return ModelFailure(FailureKind.REFUSED, f"The model server {told} (HTTP {status}).")


def failure_in_stream(body: object) -> ModelFailure:
    """The failure behind an error that came as an event, after the status 200."""
    reason = _Reason(body)
    words = {reason.code, reason.kind}
    if words & _QUOTA_CODES:
        return ModelFailure(FailureKind.OUT_OF_QUOTA, NO_QUOTA)
    if any("rate_limit" in word for word in words if word):
        return ModelFailure(FailureKind.RATE_LIMITED, RATE_LIMIT)
    if reason.is_overflow or "invalid_request_error" in words:
        return _rejected(reason, "The model server rejected the request.")
    return ModelFailure(FailureKind.UNAVAILABLE, "The model server failed in the middle of its reply.")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a reply asks to wait, by `retry-after-ms` or `Retry-After` (seconds or a date); None if not."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / divisor
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


class _Reason:
    """The fields of an error object, whatever was sent in its place."""

    def __init__(self, body: object) -> None:
        fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        self.code = _text(fields.get("code"))
        self.kind = _text(fields.get("type"))
        self.message = _text(fields.get("message"))
        told = self.message or (body if isinstance(body, str) else "") or ""
        self.is_overflow = self.code in _OVERFLOW_CODES or bool(_OVERFLOW.search(told[:2_000]))


def _rejected(reason: _Reason, otherwise: str) -> ModelFailure:
    kind = FailureKind.CONTEXT_OVERFLOW if reason.is_overflow else FailureKind.INVALID_PROMPT
    if reason.message is None:
        return ModelFailure(kind, otherwise)
    # Masked before it is cut, or half a key would pass.
    told = redact_text(reason.message[: 10 * LONGEST_REASON])
    return ModelFailure(kind, told if len(told) <= LONGEST_REASON else told[: LONGEST_REASON - 1] + "…")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
