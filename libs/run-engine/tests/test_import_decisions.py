"""Which imports are allowed and what becomes of their calls: decided over values, without a database."""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import imported
import pytest
from run_engine.domain.imported_calls import CallPlan, plan_calls
from run_engine.domain.imports import ImportedObject, Stored, StoredCall, StoredRun, gather, new_locks, refusals
from run_engine.domain.objects import Run
from run_engine.domain.status import UNFINISHED, RunStatus
from run_engine.errors import NotFound, ThreadBusy

NOTHING = Stored(
    threads={}, threads_in_use=frozenset(), runs={}, messages={}, steps={}, files_with_bytes=frozenset(), calls=()
)


def stored(**fields: Any) -> Stored:
    """One thread and one run of it that waits for its client, unless told otherwise."""
    run = StoredRun("thread_old", "asst_old", imported.BEGAN, driven=False, waits=True)
    return Stored(
        **{
            "threads": {"thread_old": "run_old"},
            "threads_in_use": frozenset(),
            "runs": {"run_old": run},
            "messages": {},
            "steps": {},
            "files_with_bytes": frozenset(),
            "calls": (),
        }
        | fields
    )


def stored_call(step_id: str = "step_old", call_id: str = "call_old", *, stands_in: bool = False) -> StoredCall:
    return StoredCall("run_old", step_id, call_id, "f", '{"a": 1}', is_open=True, stands_in=stands_in)


def why(objects: Iterable[ImportedObject], known: Stored) -> dict[int, type[Exception]]:
    batch, refused = gather(enumerate(objects))
    return {each.index: type(each.reason) for each in [*refused, *refusals(batch, known)]}


def plan(objects: Iterable[ImportedObject], known: Stored) -> CallPlan:
    batch, _ = gather(enumerate(objects))
    return plan_calls(batch, known, uuid4)


def test_refusals_are_in_the_order_of_the_request() -> None:
    objects = [imported.step(), imported.run(id="run_2"), imported.message(), imported.thread(id="thread_2")]
    assert list(why(objects, NOTHING).items()) == [(0, NotFound), (1, NotFound), (2, NotFound)]


@pytest.mark.parametrize("status", sorted(UNFINISHED))
def test_an_unfinished_run_takes_the_lock_of_its_thread(status: RunStatus) -> None:
    objects = [imported.thread(), imported.run(status=status)]
    batch, _ = gather(enumerate(objects))
    assert why(objects, NOTHING) == {}
    assert new_locks(batch, NOTHING) == {"thread_old": "run_old"}
    second = [*objects, imported.run(id="run_2", status=status)]
    assert why(second, NOTHING) == {2: ThreadBusy}


@pytest.mark.parametrize("order", [0, 1])
def test_a_lock_goes_from_a_run_that_has_ended_to_one_that_has_not(order: int) -> None:
    objects: list[Run] = [imported.run(), imported.run(id="run_2", status=RunStatus.QUEUED)]
    if order:
        objects.reverse()
    batch, _ = gather(enumerate(objects))
    assert why(objects, stored()) == {}
    assert new_locks(batch, stored()) == {"thread_old": "run_2"}
    assert why(objects[1 - order :][:1], stored()) == {0: ThreadBusy}


def test_a_run_that_has_ended_frees_only_a_thread_that_it_locked() -> None:
    batch, _ = gather(enumerate([imported.run()]))
    assert new_locks(batch, stored()) == {"thread_old": None}
    assert new_locks(batch, stored(threads={"thread_old": "run_other"})) == {}


def test_calls_that_only_a_run_names_get_a_step() -> None:
    found = plan([imported.waiting(imported.call("call_a"), imported.call("call_b"))], NOTHING)
    [stand_in] = found.stand_ins
    assert [each.id for each in stand_in.tool_calls] == ["call_a", "call_b"]
    assert found.waiting == [("run_old", "call_a"), ("run_old", "call_b")]
    assert {each.step_id for each in found.calls} == {stand_in.id}


def test_calls_that_a_step_has_get_none() -> None:
    run, step = imported.waiting(), imported.step(imported.call())
    for objects, known in (
        ([run, step], NOTHING),
        ([run], stored(calls=[stored_call()])),
        ([step], stored(calls=[stored_call("step_made", stands_in=True)])),
        ([step], stored(calls=[stored_call()])),
    ):
        found = plan(objects, known)
        assert (found.stand_ins, found.refused) == ([], [])
        assert found.waiting == [("run_old", "call_old")]


def test_a_stand_in_stays_for_the_calls_that_are_still_missing() -> None:
    known = stored(calls=[stored_call("step_made", "call_a", stands_in=True)])
    found = plan([imported.step(imported.call("call_other"))], known)
    [stand_in] = found.stand_ins
    assert (stand_in.id, [each.id for each in stand_in.tool_calls]) == ("step_made", ["call_a"])
    assert found.waiting == [("run_old", "call_a")]


def test_a_stand_in_that_is_brought_as_a_step_stands_in_no_more() -> None:
    known = stored(calls=[stored_call("step_made", "call_a", stands_in=True)])
    [stand_in] = plan([imported.step(id="step_made")], known).stand_ins
    assert stand_in.id != "step_made"
