"""The table of moves: complete, and safe under any sequence of triggers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_engine.domain.moves import (
    LOST_WORKERS_LIMIT,
    MOVES,
    RunState,
    Trigger,
    answer,
    holds_thread,
    lose_worker,
    move,
    park,
    target,
)
from run_engine.domain.status import DRIVEN, ENDED, PARKED, UNFINISHED, RunStatus
from run_engine.errors import IllegalMove

triggers = st.sampled_from(list(Trigger))
counts = st.integers(min_value=0, max_value=3)


def test_no_move_leaves_an_ended_status() -> None:
    assert {status for status, _ in MOVES} == UNFINISHED


def test_every_unfinished_status_is_reached_and_left() -> None:
    assert set(MOVES.values()) == set(RunStatus)
    for status in UNFINISHED:
        assert any(start is status for start, _ in MOVES)


def test_every_unfinished_run_can_expire() -> None:
    assert {target(status, Trigger.EXPIRE) for status in UNFINISHED} == {RunStatus.EXPIRED}


@pytest.mark.parametrize("status", sorted(ENDED))
def test_an_ended_run_refuses_cancellation_and_ignores_what_events_bring(status: RunStatus) -> None:
    with pytest.raises(IllegalMove) as refused:
        target(status, Trigger.CANCEL)
    assert (refused.value.status, refused.value.trigger) == (status, "cancel")
    for trigger in (Trigger.CLAIM, Trigger.ALL_ANSWERED, Trigger.EXPIRE, Trigger.LOSE_WORKER):
        assert move(RunState(status, attempt=2), trigger) == RunState(status, attempt=2)


def test_only_a_claim_raises_the_attempt() -> None:
    assert move(RunState(RunStatus.QUEUED, attempt=4), Trigger.CLAIM).attempt == 5
    assert move(RunState(RunStatus.IN_PROGRESS, attempt=5), Trigger.CLAIM).attempt == 5


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[RunState], list[str]]:
    """A run driven by arbitrary triggers, in any order and any number of times."""
    run = RunState(RunStatus.QUEUED)
    states, refused = [run], []
    for _ in range(draw(st.integers(min_value=1, max_value=30))):
        action = draw(st.sampled_from(["trigger", "park", "answer", "lose"]))
        try:
            if action == "trigger":
                trigger = draw(triggers)
                if trigger in {
                    Trigger.PARK_FOR_CLIENT,
                    Trigger.PARK_FOR_SERVICES,
                    Trigger.CLIENT_ANSWERED,
                    Trigger.ALL_ANSWERED,
                    Trigger.GIVE_UP,
                    Trigger.LOSE_WORKER,
                }:
                    continue  # these come with their counts, below
                run = move(run, trigger)
            elif action == "park":
                client, server = draw(counts), draw(counts)
                if client + server:
                    run = park(run, client_calls=client, server_calls=server)
            elif action == "answer":
                run = answer(
                    run,
                    client_calls=draw(st.integers(0, run.open_client_calls)),
                    server_calls=draw(st.integers(0, run.open_server_calls)),
                )
            else:
                run = lose_worker(run)
        except IllegalMove as error:
            refused.append(error.trigger)
        states.append(run)
    return states, refused


@given(histories())
def test_no_sequence_reaches_an_illegal_state(history: tuple[list[RunState], list[str]]) -> None:
    states, _ = history
    for before, after in pairwise(states):
        assert before.status not in ENDED or after == before
        assert after.attempt in (before.attempt, before.attempt + 1)
        assert after.attempt == before.attempt or after.status is RunStatus.IN_PROGRESS
        waiting = after.open_client_calls + after.open_server_calls
        if after.status in PARKED:
            assert waiting > 0
            assert (after.open_client_calls > 0) is (after.status is RunStatus.REQUIRES_ACTION)
        if after.status in {RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.CANCELLING}:
            assert waiting == 0
        assert after.lost_workers <= LOST_WORKERS_LIMIT
        assert holds_thread(after.status) is (after.status in UNFINISHED)


@given(histories(), st.sampled_from([Trigger.CLAIM, Trigger.EXPIRE, Trigger.OBEY_CANCEL, Trigger.HAND_BACK]))
def test_a_repeated_event_changes_nothing(history: tuple[list[RunState], list[str]], trigger: Trigger) -> None:
    run = history[0][-1]
    once = move(run, trigger)
    assert move(once, trigger) == once or once.status in {RunStatus.QUEUED, RunStatus.IN_PROGRESS}
    if trigger is Trigger.CLAIM or once.status in ENDED:
        assert move(once, trigger) == once


@given(st.integers(1, 4), st.integers(1, 4), st.randoms(use_true_random=False))
def test_answers_in_any_order_lead_to_the_same_run(client: int, server: int, random: object) -> None:
    parked = park(RunState(RunStatus.IN_PROGRESS, attempt=1), client_calls=client, server_calls=server)
    # The client answers all of its calls at once, services one by one.
    order = ["server"] * server + ["client"]
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis hands out a random.Random
    run = parked
    for place, who in enumerate(order):
        assert run.status in PARKED, f"queued before answer {place}"
        run = answer(run, client_calls=client) if who == "client" else answer(run, server_calls=1)
    assert run == RunState(RunStatus.QUEUED, attempt=1)
    assert answer(run, server_calls=1) == run, "a late answer changes nothing"


def test_a_run_that_kills_its_workers_is_given_up() -> None:
    run = RunState(RunStatus.QUEUED)
    for lost in range(1, LOST_WORKERS_LIMIT):
        run = lose_worker(move(run, Trigger.CLAIM))
        assert run == RunState(RunStatus.QUEUED, attempt=lost, lost_workers=lost)
    assert lose_worker(move(run, Trigger.CLAIM)).status is RunStatus.FAILED


def test_a_completed_step_forgives_lost_workers() -> None:
    run = park(RunState(RunStatus.IN_PROGRESS, attempt=2, lost_workers=2), client_calls=0, server_calls=1)
    assert run.lost_workers == 2
    assert answer(run, server_calls=1).lost_workers == 0


def test_a_cancelled_run_whose_worker_died_is_cancelled_not_queued() -> None:
    assert lose_worker(RunState(RunStatus.CANCELLING, attempt=1)).status is RunStatus.CANCELLED
    assert lose_worker(RunState(RunStatus.CANCELLING, attempt=3, lost_workers=2)).status is RunStatus.CANCELLED


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.IN_PROGRESS}))
def test_only_a_driven_run_parks(status: RunStatus) -> None:
    with pytest.raises(IllegalMove):
        park(RunState(status), client_calls=1, server_calls=0)


def test_a_run_parks_only_for_calls() -> None:
    with pytest.raises(ValueError, match="at least one call"):
        park(RunState(RunStatus.IN_PROGRESS), client_calls=0, server_calls=0)


def test_more_answers_than_calls_are_a_mistake() -> None:
    run = park(RunState(RunStatus.IN_PROGRESS), client_calls=0, server_calls=1)
    with pytest.raises(ValueError, match="more answers"):
        answer(run, server_calls=2)


def test_a_worker_is_held_exactly_while_driven() -> None:
    assert {after for (_, trigger), after in MOVES.items() if trigger is Trigger.CLAIM} <= DRIVEN
