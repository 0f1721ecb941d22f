"""What is read from an imported object is what is shown of it, field by field; without a database."""

from typing import Any

import pytest
from conformance import api_objects
from gateway.entrypoints.http.openai.presenters import assistants, files, messages, runs, steps, threads
from gateway.entrypoints.http.openai.requests.imports import object_of
from run_engine.domain.status import RunStatus

PRESENTERS: dict[str, Any] = {
    "assistant": assistants.assistant,
    "file": files.file,
    "thread": threads.thread,
    "thread.message": messages.message,
    "thread.run": runs.run,
    "thread.run.step": steps.step,
}


def shown(given: dict[str, Any]) -> Any:
    found, unknown = object_of(given, "tenant")
    assert unknown == set()
    return PRESENTERS[given["object"]](found)


@pytest.mark.parametrize("given", [*api_objects.everything(), api_objects.waiting("call_a", "call_b")])
def test_objects_are_shown_as_they_came(given: dict[str, Any]) -> None:
    assert shown(given) == given


@pytest.mark.parametrize("status", [status.value for status in RunStatus if status is not RunStatus.AWAITING_TOOLS])
def test_every_status_of_the_api_is_taken(status: str) -> None:
    if status == "requires_action":
        assert shown(api_objects.waiting())["status"] == status
    else:
        assert shown(api_objects.run(status=status))["status"] == status


def test_usage_is_kept_though_it_does_not_add_up_or_says_null() -> None:
    given = api_objects.run(usage=api_objects.usage(total_tokens=1000, prompt_token_details=None))
    assert shown(given) == given


@pytest.mark.parametrize("places", [[0], [3], [0, 1, 2, 3], [1, 3], []])
def test_calls_of_other_tools_keep_their_places_among_functions(places: list[int]) -> None:
    calls = [api_objects.function_call(f"call_{number}") for number in range(4)]
    for place in places:
        calls[place] = {"id": f"call_{place}", "type": "file_search", "file_search": {}}
    given = api_objects.step(*calls)
    assert shown(given) == given


@pytest.mark.parametrize("tools", [
    [{"type": "file_search"}],
    [{"type": "file_search", "file_search": {"ranking_options": {"ranker": "auto", "score_threshold": 0.5}}}],
    [{"type": "function", "function": {"name": "f"}}],
])  # fmt: skip
def test_tools_are_kept_as_they_came_without_our_defaults(tools: list[Any]) -> None:
    assert shown(api_objects.assistant(tools=tools))["tools"] == tools


def test_a_text_without_annotations_gets_an_empty_list() -> None:
    given = api_objects.message(content=[{"type": "text", "text": {"value": "hello"}}])
    assert shown(given)["content"] == [{"type": "text", "text": {"value": "hello", "annotations": []}}]
