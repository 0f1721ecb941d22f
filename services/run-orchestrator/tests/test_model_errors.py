"""From what a model server says to what the run's owner is told."""

from typing import Any

import httpx2
import openai
import pytest
from run_orchestrator.adapters.model.errors import LONGEST_REASON, failure_of, failure_of_status, retry_after
from run_orchestrator.application.failures import FailureKind, ModelFailure

NOW = 1_800_000_000.0
KEY = "sk-proj-0123456789abcdefghij"


def failure(status: int, body: object = None, headers: dict[str, str] | None = None) -> ModelFailure:
    return failure_of_status(status, body, headers or {}, model="m", now=NOW)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"code": "rate_limit_exceeded"}, FailureKind.RATE_LIMITED),
        (429, "Too many requests", FailureKind.RATE_LIMITED),
        (429, {"code": "insufficient_quota"}, FailureKind.OUT_OF_QUOTA),
        (500, None, FailureKind.UNAVAILABLE),
        (502, "<html>bad gateway</html>", FailureKind.UNAVAILABLE),
        (529, {}, FailureKind.UNAVAILABLE),
        (408, {}, FailureKind.UNAVAILABLE),
        (409, {}, FailureKind.UNAVAILABLE),
        (400, {"message": "No."}, FailureKind.INVALID_PROMPT),
        (422, {"message": "No."}, FailureKind.INVALID_PROMPT),
        (400, {"code": "context_length_exceeded"}, FailureKind.CONTEXT_OVERFLOW),
        (400, {"message": "This model's maximum context length is 8192 tokens."}, FailureKind.CONTEXT_OVERFLOW),
        (400, {"message": "prompt is too long: 210000 tokens > 200000 maximum"}, FailureKind.CONTEXT_OVERFLOW),
        (413, "Input is larger than the context size", FailureKind.CONTEXT_OVERFLOW),
        (401, {"message": "x"}, FailureKind.REFUSED),
        (402, {"message": "x"}, FailureKind.REFUSED),
        (403, {"message": "x"}, FailureKind.REFUSED),
        (404, {"message": "x"}, FailureKind.REFUSED),
        (405, {"message": "x"}, FailureKind.REFUSED),
    ],
)
def test_kinds(status: int, body: object, kind: FailureKind) -> None:
    assert failure(status, body).kind is kind


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 408, 409, 429, 500, 503])
@pytest.mark.parametrize("body", [f"the key {KEY}", {"message": f"the key {KEY}", "code": KEY, "type": KEY}])
def test_a_servers_own_words_are_not_passed_on(status: int, body: object) -> None:
    assert KEY not in str(failure(status, body))
    assert "the key" not in failure(status, body).detail


@pytest.mark.parametrize("status", [400, 413, 422])
def test_reasons_of_rejections_are_passed_on_masked(status: int) -> None:
    told = failure(status, {"message": f"Invalid schema. Your key is {KEY}."})
    assert told.detail.startswith("Invalid schema. Your key is")
    assert KEY not in told.detail


def test_long_reasons_are_cut() -> None:
    told = failure(400, {"message": "x" * (LONGEST_REASON - 10) + KEY + "y" * 10_000}).detail
    assert len(told) == LONGEST_REASON
    assert KEY[:12] not in told


def test_a_rejection_without_a_reason_has_a_sentence() -> None:
    assert failure(400, "<html>").detail == "The model server rejected the request (HTTP 400)."


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds
    assert failure(429, None, headers).retry_after == seconds
    assert failure(503, None, headers).retry_after == seconds


REQUEST = httpx2.Request("POST", "http://model/v1/chat/completions")


def caused(error: openai.APIError, cause: Exception | None) -> openai.APIError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (openai.APIConnectionError(request=REQUEST), "could not be reached"),
        (openai.APITimeoutError(request=REQUEST), "did not answer in time"),
        (caused(openai.APITimeoutError(request=REQUEST), httpx2.ConnectTimeout("x")), "could not be reached"),
        (openai.APIError("x", REQUEST, body=None), "in the middle of its reply"),
    ],
)
def test_what_the_sdk_raises(error: openai.APIError, words: str) -> None:
    told = failure_of(error, model="m", now=NOW)
    assert told.kind is FailureKind.UNAVAILABLE
    assert words in told.detail


def test_a_status_error_of_the_sdk() -> None:
    body: Any = {"message": "slow down", "type": "requests"}
    response = httpx2.Response(429, headers={"retry-after": "3"}, request=REQUEST)
    told = failure_of(openai.RateLimitError("x", response=response, body=body), model="m", now=NOW)
    assert (told.kind, told.retry_after) == (FailureKind.RATE_LIMITED, 3.0)
