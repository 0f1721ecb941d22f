"""Every example shows what its name says, and a wrong one would be noticed."""

from dataclasses import replace
from pathlib import Path

import pytest
from message_contracts import examples
from message_contracts.examples import Example
from message_contracts.schemas import current

ALL = list(examples.examples())
RUN_REFERENCE = {"run": {"id": "run_1", "thread_id": "thread_1"}}


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.name)
def test_an_example_shows_what_its_name_says(example: Example) -> None:
    assert examples.problem(example) is None


def test_every_type_has_a_valid_and_an_invalid_example() -> None:
    assert list(examples.missing()) == []
    assert {example.type for example in ALL} == set(current().messages)


def test_a_type_without_examples_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [example for example in ALL if example.type != "threadworks.run.queued.v1"]
    monkeypatch.setattr(examples, "examples", lambda: iter(kept))
    assert list(examples.missing()) == [
        "threadworks.run.queued.v1: has no valid example",
        "threadworks.run.queued.v1: has no invalid example",
    ]


@pytest.mark.parametrize(
    ("stem", "data", "told"),
    [
        ("valid-run", {"run": {"id": "run_1"}}, "does not fit: /run: required thread_id"),
        ("invalid-run.id-required", RUN_REFERENCE, "breaks nothing"),
        ("invalid-run.id-minLength", {"run": {"id": 5, "thread_id": "thread_1"}}, "breaks ['run.id-type']"),
        ("invalid-run.id-type", {"run": {"id": 5}}, "breaks ['run.id-type', 'run.thread_id-required']"),
        ("odd-run", RUN_REFERENCE, "is named neither valid-… nor invalid-…"),
    ],
)
def test_a_wrong_example_is_noticed(stem: str, data: object, told: str) -> None:
    example = Example("threadworks.run.requested.v1", Path(f"{stem}.json"), data)
    assert examples.problem(example) == told


def test_an_example_that_only_consumers_accept_is_not_valid() -> None:
    """A word outside the vocabulary is for consumers to bear, not for producers to send."""
    step = next(example for example in ALL if example.type == "threadworks.run-step.created.v1" and example.valid)
    grown = replace(step, data={"step": {**step.data["step"], "status": "paused"}})
    told = examples.problem(grown)
    assert told is not None
    assert told.startswith("does not fit: /step/status: enum")
