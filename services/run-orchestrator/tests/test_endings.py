"""What replies mean for their runs."""

import pytest
from run_engine.domain.objects import Usage
from run_orchestrator.application.ending import LONGEST_ARGUMENTS, content_of, cut_short_by, wanted_calls
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.reply import FunctionCall, Reply


def reply(
    text: str = "", refusal: str = "", calls: tuple[FunctionCall, ...] = (), finish_reason: str | None = "stop"
) -> Reply:
    return Reply(text, refusal, calls, finish_reason, Usage())


def text_part(value: str) -> dict[str, object]:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def test_contents() -> None:
    refusal = {"type": "refusal", "refusal": "I will not."}
    assert content_of("hello", "") == [text_part("hello")]
    assert content_of("", "") == [text_part("")]
    assert content_of("", "I will not.") == [refusal]
    assert content_of("Well.", "I will not.") == [text_part("Well."), refusal]


@pytest.mark.parametrize(
    ("finish_reason", "reason"),
    [
        ("length", "max_completion_tokens"),
        ("content_filter", "content_filter"),
        ("stop", None),
        ("tool_calls", None),
        ("a new one", None),
        (None, None),
    ],
)
def test_what_cuts_a_reply_short(finish_reason: str | None, reason: str | None) -> None:
    assert cut_short_by(reply("x", finish_reason=finish_reason)) == reason


def test_calls_count_whatever_the_finish_reason_says() -> None:
    call = FunctionCall("call_1", "f", "{}")
    for finish_reason in ("stop", "tool_calls", "function_call", None):
        assert wanted_calls(reply(calls=(call,), finish_reason=finish_reason), {"f"}) == (call,)


def test_a_plain_reply_wants_no_calls() -> None:
    assert wanted_calls(reply("hello"), {"f"}) == ()


@pytest.mark.parametrize("name", ["", "g", "a b", "x" * 65, "f\n", "ä"])
def test_functions_that_cannot_be_called(name: str) -> None:
    with pytest.raises(ModelFailure) as caught:
        wanted_calls(reply(calls=(FunctionCall("call_1", name, "{}"),)), {"f", "a b", "x" * 65, "ä", "f\n", ""})
    assert caught.value.kind is FailureKind.UNUSABLE_REPLY


def test_arguments_that_no_event_can_carry() -> None:
    fits = FunctionCall("call_1", "f", "ä" * (LONGEST_ARGUMENTS // 2))
    assert wanted_calls(reply(calls=(fits,)), {"f"}) == (fits,)
    too_long = FunctionCall("call_1", "f", "ä" * (LONGEST_ARGUMENTS // 2) + "x")
    with pytest.raises(ModelFailure):
        wanted_calls(reply(calls=(too_long,)), {"f"})


def test_tools_are_announced_and_none_is_called() -> None:
    with pytest.raises(ModelFailure):
        wanted_calls(reply("x", finish_reason="tool_calls"), {"f"})
