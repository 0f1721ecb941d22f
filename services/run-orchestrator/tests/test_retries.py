"""When a failed call of the model is tried again, after which pause, and how a run ends otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.retries import RetryPolicy, end_of

POLICY = RetryPolicy()


def failure(kind: FailureKind, retry_after: float | None = None) -> ModelFailure:
    return ModelFailure(kind, "why", retry_after=retry_after)


def pauses(kind: FailureKind, *, remaining: float = 600.0, jitter: float = 0.5) -> list[float]:
    """All pauses until the policy gives up, or the first twelve."""
    found: list[float] = []
    while len(found) < 12:
        pause = POLICY.pause_after(failure(kind), len(found) + 1, remaining, jitter)
        if pause is None:
            break
        found.append(pause)
    return found


def test_a_server_that_fails_gets_five_more_tries() -> None:
    assert pauses(FailureKind.UNAVAILABLE) == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_rate_limit_is_waited_for_without_end() -> None:
    assert pauses(FailureKind.RATE_LIMITED) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0]


def test_a_reply_without_sense_is_asked_for_twice_more() -> None:
    assert pauses(FailureKind.UNUSABLE_REPLY) == [0.5, 1.0]


@pytest.mark.parametrize(
    "kind",
    [FailureKind.OUT_OF_QUOTA, FailureKind.INVALID_PROMPT, FailureKind.CONTEXT_OVERFLOW, FailureKind.REFUSED],
)
def test_what_cannot_get_better_is_not_tried_again(kind: FailureKind) -> None:
    assert pauses(kind) == []


@pytest.mark.parametrize("kind", [FailureKind.RATE_LIMITED, FailureKind.UNAVAILABLE])
def test_the_servers_wish_counts_where_it_is_longer(kind: FailureKind) -> None:
    assert POLICY.pause_after(failure(kind, 20.0), 1, 600.0, 0.5) == 20.0
    assert POLICY.pause_after(failure(kind, 0.1), 1, 600.0, 0.5) == 0.5


def test_a_pause_that_the_run_would_not_survive_is_not_begun() -> None:
    assert POLICY.pause_after(failure(FailureKind.RATE_LIMITED, 20.0), 1, 19.0, 0.5) is None
    assert POLICY.pause_after(failure(FailureKind.UNAVAILABLE), 1, 0.4, 0.5) is None
    assert POLICY.pause_after(failure(FailureKind.UNAVAILABLE), 1, -1.0, 0.5) is None


@given(st.sampled_from(FailureKind), st.integers(1, 10_000), st.floats(0, 1e6), st.floats(0, 0.999))
def test_pauses_are_spread_and_bounded(kind: FailureKind, failures: int, remaining: float, jitter: float) -> None:
    pause = POLICY.pause_after(failure(kind), failures, remaining, jitter)
    assert pause is None or 0.375 <= pause < min(remaining, 37.5)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FailureKind.RATE_LIMITED, "rate_limit_exceeded"),
        (FailureKind.OUT_OF_QUOTA, "rate_limit_exceeded"),
        (FailureKind.UNAVAILABLE, "server_error"),
        (FailureKind.REFUSED, "server_error"),
        (FailureKind.UNUSABLE_REPLY, "server_error"),
        (FailureKind.INVALID_PROMPT, "invalid_prompt"),
        (FailureKind.CONTEXT_OVERFLOW, "invalid_prompt"),
    ],
)
def test_how_runs_end_that_gave_up(kind: FailureKind, code: str) -> None:
    assert (end_of(failure(kind)).code, end_of(failure(kind)).message) == (code, "why")


def test_every_kind_of_failure_has_an_ending() -> None:
    for kind in FailureKind:
        assert end_of(failure(kind)).code
