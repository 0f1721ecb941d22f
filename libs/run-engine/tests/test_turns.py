"""Which conversations an assistant can answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_engine.domain.turns import Turn, check_next, check_turns
from run_engine.errors import Unanswerable

USER, ANSWER = Turn("user"), Turn("assistant")


def asks(*call_ids: str) -> Turn:
    return Turn("assistant", call_ids=call_ids)


def output(call_id: str | None) -> Turn:
    return Turn("tool", tool_call_id=call_id)


@pytest.mark.parametrize(
    "turns",
    [
        [USER],
        [USER, USER],
        [ANSWER, USER],
        [USER, ANSWER, USER],
        [USER, asks("a"), output("a")],
        [USER, asks("a", "b"), output("b"), output("a")],
        [USER, asks("a"), output("a"), output("a")],
        [USER, asks("a"), output("a"), asks("b"), output("b"), ANSWER, USER],
        [asks("a"), output("a"), USER],
    ],
)
def test_what_can_be_answered(turns: list[Turn]) -> None:
    check_turns(turns, whole=True)
    check_turns(turns, whole=False)


@pytest.mark.parametrize(
    ("turns", "reason", "call_ids"),
    [
        ([], "no_user_message", ()),
        ([ANSWER], "no_user_message", ()),
        ([asks("a"), output("a")], "no_user_message", ()),
        ([USER, ANSWER], "nothing_to_answer", ()),
        ([USER, asks("a")], "calls_not_answered", ("a",)),
        ([USER, asks("a", "b"), output("a")], "calls_not_answered", ("b",)),
        ([USER, asks("a", "b", "c"), output("b"), USER], "calls_not_answered", ("a", "c")),
        ([USER, asks("a"), ANSWER, output("a")], "calls_not_answered", ("a",)),
        ([USER, output("a")], "no_such_call", ("a",)),
        ([USER, asks("a"), output(None)], "calls_not_answered", ("a",)),
        ([USER, asks("a"), output("b")], "no_such_call", ("b",)),
        ([USER, asks("a"), output("a"), ANSWER, output("a")], "no_such_call", ("a",)),
    ],
)
def test_what_cannot(turns: list[Turn], reason: str, call_ids: tuple[str, ...]) -> None:
    with pytest.raises(Unanswerable) as refused:
        check_turns(turns, whole=True)
    assert (refused.value.reason, refused.value.call_ids) == (reason, call_ids)


def test_what_may_lie_before_is_given_the_benefit_of_the_doubt() -> None:
    check_turns([output("a"), output("b")], whole=False)
    check_turns([output("a"), asks("c"), output("c")], whole=False)
    check_turns([], whole=False)
    with pytest.raises(Unanswerable):
        check_turns([USER, output("a")], whole=False)


@given(st.lists(st.sampled_from([USER, ANSWER, asks("a"), asks("a", "b"), output("a"), output("b"), output(None)])))
def test_the_end_of_what_can_be_answered_can_be_answered(turns: list[Turn]) -> None:
    try:
        check_turns(turns, whole=True)
    except Unanswerable:
        return
    for start in range(len(turns)):
        check_turns(turns[start:], whole=False)


@pytest.mark.parametrize(
    ("turns", "turn"),
    [
        ([], USER),
        ([], ANSWER),
        ([USER], asks("a")),
        ([USER, asks("a")], output("a")),
        ([USER, asks("a", "b"), output("a")], output("b")),
        ([USER, asks("a"), output("a")], USER),
        ([USER], output(None)),
        ([USER, output(None)], ANSWER),
        # However it came about: what is past cannot be mended by what follows.
        ([USER, asks("a"), USER], USER),
    ],
)
def test_what_may_follow(turns: list[Turn], turn: Turn) -> None:
    check_next(turns, turn, whole=True)


@pytest.mark.parametrize(
    ("turns", "turn", "reason"),
    [
        ([], output("a"), "no_such_call"),
        ([USER], output("a"), "no_such_call"),
        ([USER, asks("a")], output("b"), "no_such_call"),
        ([USER, asks("a")], USER, "calls_not_answered"),
        ([USER, asks("a")], output(None), "calls_not_answered"),
        ([USER, asks("a", "b"), output("a")], ANSWER, "calls_not_answered"),
    ],
)
def test_what_may_not(turns: list[Turn], turn: Turn, reason: str) -> None:
    with pytest.raises(Unanswerable) as refused:
        check_next(turns, turn, whole=True)
    assert refused.value.reason == reason
