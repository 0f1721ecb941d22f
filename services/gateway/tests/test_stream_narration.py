"""What one reader is told of a run: the same whatever came how, and whenever it left and came back. Pure."""

import itertools
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from gateway.application.streams.narration import BEGINNING, Narration
from gateway.application.streams.run_log import MOST_WAITING, RunLog
from gateway.application.streams.step_text import Call
from gateway.application.streams.telling import (
    ArgumentsTold,
    CallTold,
    EndTold,
    MessageTold,
    Place,
    RunTold,
    StepTold,
    TextTold,
    Told,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_scripts import RUN, Script, Sent, Stored


def shown(told: Sequence[Told]) -> list[tuple[Any, ...]]:
    """What was told, with consecutive text of a part in one piece."""
    out: list[tuple[Any, ...]] = []
    for each in told:
        match each:
            case RunTold(name=name):
                out.append(("run", name))
            case StepTold(name=name, step=step):
                out.append(("step", name, step.id))
            case MessageTold(name=name, message=message):
                out.append(("message", name, message.id))
            case TextTold(message_id=message_id, kind=kind, text=text):
                out.append(("text", message_id, kind, text))
            case CallTold(step_id=step_id, number=number, call_id=call_id, name=name):
                out.append(("call", step_id, number, call_id, name))
            case ArgumentsTold(step_id=step_id, number=number, text=text):
                out.append(("arguments", step_id, number, text))
            case EndTold():
                out.append(("end",))
    return joined(out)


def joined(told: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    out: list[tuple[Any, ...]] = []
    for each in told:
        if each[0] in {"text", "arguments"} and out and out[-1][:3] == each[:3]:
            out[-1] = (*each[:3], out[-1][3] + each[3])
        elif each[0] not in {"text", "arguments"} or each[3]:
            out.append(each)
    return out


def without_cancelling(told: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Where text is on its way while the run is cancelled, either of them may be told first."""
    return joined([each for each in told if each != ("run", "cancelling")])


def feed(log: RunLog, item: Stored | Sent) -> None:
    if isinstance(item, Stored):
        if item.seq == 1:
            log.begin(RUN, [])
        log.event(item.seq, item.type, item.data)
    else:
        log.text(item.step_id, item.part, item.offset, item.text, None if item.call is None else Call(*item.call))


def log_of(items: Sequence[Stored | Sent]) -> RunLog:
    log = RunLog()
    for item in items:
        feed(log, item)
    return log


def answer(*pieces: str, **how: Any) -> Script:
    return Script().begin().message([("text", piece) for piece in pieces], **how)


# Every way in which a run can go.

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=5)
arguments = st.dictionaries(st.sampled_from("ab"), st.integers(0, 9), max_size=2).map(
    lambda v: orjson.dumps(v).decode()
)


@st.composite
def split(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=3)))
    return [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)]) if text[a:b]]


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    script = Script().begin()
    for _ in range(draw(st.integers(0, 3))):
        streamed = draw(st.booleans())
        pieces = [("text", text) for text in draw(st.lists(texts, max_size=4))]
        match draw(st.sampled_from(["lost", "said", "calls", "bare loss"])):
            case "lost":
                script.message(pieces, end="lost")
            case "said":
                script.message(pieces, streamed=streamed)
                script.calls([("f", draw(split(draw(arguments))))], streamed=streamed)
            case "calls":
                count = draw(st.integers(1, 3))
                calls = [(f"f{index}", draw(split(draw(arguments)))) for index in range(count)]
                script.calls(
                    calls, streamed=streamed, waits_for=draw(st.sampled_from(["requires_action", "awaiting_tools"]))
                )
            case "bare loss":
                script.run("queued").run("in_progress")
    pieces = [("text", text) for text in draw(st.lists(texts, max_size=4))]
    if not pieces or draw(st.booleans()):
        pieces += [("refusal", text) for text in draw(st.lists(texts, max_size=2))]
    streamed = draw(st.booleans())
    match draw(st.sampled_from(["completed", "incomplete", "cancelled", "late cancel", "failed", "calls", "expired"])):
        case "completed":
            script.message(pieces, streamed=streamed).run("completed")
        case "incomplete":
            script.message(pieces, streamed=streamed, end="incomplete").run("incomplete")
        case "cancelled":
            stored = draw(st.integers(0, len(pieces)))
            place = draw(st.integers(0, len(pieces)))
            script.message(pieces, end="cancelled", cancelling_after=place, stored=stored).run("cancelled")
        case "late cancel":
            script.message(pieces, cancelling_after=draw(st.integers(0, len(pieces)))).run("completed")
        case "failed":
            script.run("failed")
        case "calls":
            script.calls([("g", ["{}"])], streamed=streamed, answered=False).run("cancelled")
        case "expired":
            script.run("expired")
    return script


class Reader:
    """A client that may leave at any moment, with what it has got of the last reply, and come back."""

    def __init__(self) -> None:
        self.got: list[Told] = []

    def after(self) -> Place:
        return self.got[-1].place if self.got else BEGINNING

    def take(self, told: Sequence[Told]) -> None:
        for each in told:
            assert each.place > self.after()
            self.got.append(each)


def sent_of(script: Script) -> list[Sent]:
    return [item for item in script.items if isinstance(item, Sent)]


def check(script: Script, got: Sequence[Told], *, whole: bool) -> None:
    """`whole`: no text was lost on the way. Else a message that was never finished may lack some."""
    told, expected = without_cancelling(shown(got)), without_cancelling(script.expected)
    if not whole:
        unfinished = {each[2] for each in expected if each[:2] == ("message", "incomplete")}
        for each in unfinished:
            text = "".join(piece[3] for piece in told if piece[:2] == ("text", each))
            assert "".join(piece[3] for piece in expected if piece[:2] == ("text", each)).startswith(text)
        told, expected = (
            [each for each in those if each[0] != "text" or each[1] not in unfinished] for those in (told, expected)
        )
    assert told == expected
    assert [each for each in shown(got) if each[0] == "run"] == [each for each in script.expected if each[0] == "run"]
    assert sum(isinstance(each, EndTold) for each in got) == 1


@given(script=scripts(), data=st.data())
@settings(max_examples=400, deadline=None)
def test_whatever_is_lost_or_repeated_on_the_way_the_same_is_told(script: Script, data: st.DataObject) -> None:
    log, reader = RunLog(), Reader()
    narration = Narration(log, through_actions=True)
    stored: list[Stored] = []
    past: list[Sent] = []
    log.begin(RUN, [])
    for item in script.items:
        if isinstance(item, Stored):
            stored.append(item)
            if data.draw(st.booleans(), label="copied"):
                feed(log, item)
        else:
            past.append(item)
            ways = ["sent", "sent", "sent", "lost", "early", "halved"]
            if any(each.step_id == item.step_id and each.part == "refusal" for each in sent_of(script)):
                # That a text was lost before a refusal cannot be seen, and no model writes both.
                ways.remove("lost")
            match data.draw(st.sampled_from(ways), label="text"):
                case "sent":
                    feed(log, item)
                case "early":
                    feed(log, past[data.draw(st.integers(0, len(past) - 1))])
                    feed(log, item)
                    feed(log, past[data.draw(st.integers(0, len(past) - 1))])
                case "halved":
                    half = len(item.text) // 2
                    feed(log, Sent(item.step_id, item.part, item.offset, item.text[:half], item.call))
                    feed(log, Sent(item.step_id, item.part, item.offset, item.text, item.call))
        if data.draw(st.booleans(), label="looked"):
            for event in stored:
                feed(log, event)
        if data.draw(st.booleans(), label="read"):
            reader.take(narration.told())
        if not narration.ended and data.draw(st.integers(0, 3), label="cut") == 0:
            narration = Narration(log, reader.after(), through_actions=True)
    for event in stored:
        feed(log, event)
    reader.take(narration.told())
    assert narration.ended
    check(script, reader.got, whole=False)


@given(script=scripts(), data=st.data())
@settings(max_examples=400, deadline=None)
def test_a_stream_that_is_cut_anywhere_goes_on_anywhere(script: Script, data: st.DataObject) -> None:
    """At another gateway: all events are read there, and the worker sends the text of its step again, some time."""
    reader = Reader()
    log = RunLog()
    narration = Narration(log, through_actions=True)
    log.begin(RUN, [])
    for place, item in enumerate(script.items, 1):
        feed(log, item)
        told = narration.told()
        if data.draw(st.integers(0, 2), label="cut"):
            reader.take(told)
            continue
        reader.take(told[: data.draw(st.integers(0, len(told)), label="arrived")])
        if reader.got and isinstance(reader.got[-1], EndTold):
            continue
        before = script.items[:place]
        log = RunLog()
        log.begin(RUN, [])
        for each in before:
            if isinstance(each, Stored):
                feed(log, each)
        narration = Narration(log, reader.after(), through_actions=True)
        if data.draw(st.booleans(), label="early look"):
            reader.take(narration.told())
        for each in before:
            if isinstance(each, Sent):
                feed(log, each)
    reader.take(narration.told())
    assert narration.ended
    check(script, reader.got, whole=False)


@given(script=scripts())
@settings(max_examples=200, deadline=None)
def test_undisturbed_every_piece_is_told_as_it_comes(script: Script) -> None:
    log, got = RunLog(), Reader()
    narration = Narration(log, through_actions=True)
    log.begin(RUN, [])
    for item in script.items:
        feed(log, item)
        got.take(narration.told())
    check(script, got.got, whole=True)
    if not any(each.part == "refusal" for each in sent_of(script)):
        # A refusal after text waits for the end of the message.
        assert joined(shown(got.got)) == joined(script.expected), "also the cancelling is told in its place"


@given(script=scripts(), data=st.data())
@settings(max_examples=200, deadline=None)
def test_every_place_that_was_told_is_a_place_to_go_on_from(script: Script, data: st.DataObject) -> None:
    log = log_of(script.items)
    whole = Narration(log, through_actions=True).told()
    cut = data.draw(st.integers(0, len(whole)))
    after = whole[cut - 1].place if cut else BEGINNING
    rest = Narration(log, after, through_actions=True).told()
    if cut == len(whole):
        assert shown(rest) == [("end",)], "nothing but that it is over"
    else:
        assert rest == whole[cut:]


# By name, the cases that a property might hide.


def test_an_answer_in_the_order_of_the_api() -> None:
    script = answer("Hel", "lo").run("completed")
    assert [each[:2] for each in shown(Narration(log_of(script.items), through_actions=False).told())] == [
        ("run", "created"),
        ("run", "queued"),
        ("run", "in_progress"),
        ("step", "created"),
        ("step", "in_progress"),
        ("message", "created"),
        ("message", "in_progress"),
        ("text", "msg_1"),
        ("message", "completed"),
        ("step", "completed"),
        ("run", "completed"),
        ("end",),
    ]


def test_places_count_events_and_code_points() -> None:
    script = answer("Hé", "l💬o").run("completed")
    log, narration, places = RunLog(), Narration(RunLog(), through_actions=False), []
    narration = Narration(log, through_actions=False)
    for item in script.items:
        feed(log, item)
        places += [tuple(each.place) for each in narration.told()]
    first = [(1, 0), (1, 1), (2, 0), (3, 0), (3, 1), (3, 2), (3, 3), (3, 5), (3, 8)]
    assert places == [*first, (4, 0), (5, 0), (6, 0), (6, 1)]


def test_only_the_first_text_of_a_part_is_first() -> None:
    script = Script().begin().message([("text", "a"), ("text", "b")])
    log = RunLog()
    narration = Narration(log, through_actions=True)
    told: list[Told] = []
    for item in script.items:
        feed(log, item)
        told += narration.told()
    assert [(each.text, each.first) for each in told if isinstance(each, TextTold)] == [("a", True), ("b", False)]


def test_a_refusal_alone_is_the_first_part_and_after_text_the_second() -> None:
    alone = Script().begin().message([("refusal", "No.")])
    both = Script().begin().message([("text", "Well. "), ("refusal", "No.")])
    for script, expected in ((alone, [(0, "refusal")]), (both, [(0, "text"), (1, "refusal")])):
        told = Narration(log_of(script.items), through_actions=True).told()
        assert [(each.number, each.kind) for each in told if isinstance(each, TextTold)] == expected


def test_a_call_begins_only_after_the_arguments_before_it_are_whole() -> None:
    script = Script().begin().calls([("f", ['{"a"', ":1}"]), ("g", ["{}"])])
    log = RunLog()
    narration = Narration(log, through_actions=False)
    lost = Sent("step_1", 0, 4, ":1}")
    for item in script.items:
        if isinstance(item, Stored) and item.type == "threadworks.run-step.in_progress.v1":
            break
        if item != lost:
            feed(log, item)
    assert [each for each in shown(narration.told()) if each[0] in {"call", "arguments"}] == [
        ("call", "step_1", 0, "call_step_1_0", "f"),
        ("arguments", "step_1", 0, '{"a"'),
    ]
    for item in script.items:
        feed(log, item)
    assert [each for each in shown(narration.told()) if each[0] in {"call", "arguments", "end"}] == [
        ("arguments", "step_1", 0, ":1}"),
        ("call", "step_1", 1, "call_step_1_1", "g"),
        ("arguments", "step_1", 1, "{}"),
        ("end",),
    ]


def test_a_stream_ends_where_its_client_has_to_act_and_one_of_events_goes_on() -> None:
    script = Script().begin().calls([("f", ["{}"])]).message([("text", "done")]).run("completed")
    log = log_of(script.items)
    until = Narration(log, through_actions=False)
    told = until.told()
    assert shown(told)[-2:] == [("run", "requires_action"), ("end",)]
    assert until.ended
    acted = Narration(log, told[-2].place, through_actions=False)
    assert shown(acted.told())[:3] == [("step", "completed", "step_1"), ("run", "queued"), ("run", "in_progress")]
    assert acted.ended
    assert sum(isinstance(each, EndTold) for each in Narration(log, through_actions=True).told()) == 1


def test_required_calls_are_told_with_the_run() -> None:
    told = Narration(log_of(Script().begin().calls([("f", ["{}"])]).items), through_actions=False).told()
    (run,) = [each.run for each in told if isinstance(each, RunTold) and each.name == "requires_action"]
    assert [(call.id, call.name, call.arguments) for call in run.required_calls] == [("call_step_1_0", "f", "{}")]
    assert run.instructions == "Be brief.", "what no event carries is as it was"


def test_a_lost_worker_in_the_middle_of_a_message() -> None:
    script = answer("Hel", "lo", end="lost").message([("text", "Hello!")]).run("completed")
    told = Narration(log_of(script.items), through_actions=True).told()
    cut = next(each.message for each in told if isinstance(each, MessageTold) and each.name == "incomplete")
    assert cut.content == [{"type": "text", "text": {"value": "Hello", "annotations": []}}]
    assert (cut.incomplete_details, cut.status) == ({"reason": "run_failed"}, "incomplete")
    assert cut.incomplete_at is not None
    statuses = [each.name for each in told if isinstance(each, RunTold)]
    assert statuses == ["created", "queued", "in_progress", "completed"], "that it was queued again is not told"


def test_a_message_that_was_cut_off_shows_all_that_was_told() -> None:
    script = answer("Hel", "lo", end="cancelled", cancelling_after=1, stored=0).run("cancelled")
    told = Narration(log_of(script.items), through_actions=True).told()
    (cut,) = [each.message for each in told if isinstance(each, MessageTold) and each.name == "incomplete"]
    assert cut.content == [{"type": "text", "text": {"value": "Hello", "annotations": []}}]
    longer = answer("Hel", end="cancelled", stored=1).run("cancelled")
    items = [item for item in longer.items if not isinstance(item, Sent)]
    told = Narration(log_of(items), through_actions=True).told()
    assert ("text", "msg_1", "text", "Hel") in shown(told), "the stored text is longer than what was told"


def test_text_for_a_step_that_is_not_open_yet_waits_but_not_without_bounds() -> None:
    script = answer("Hello").run("completed")
    log = RunLog()
    narration = Narration(log, through_actions=True)
    log.begin(RUN, [])
    log.text("step_1", "text", 0, "Hel")
    assert not log.text("step_1", "text", 3, "x" * MOST_WAITING)
    for item in script.items[:3]:
        feed(log, item)
    assert shown(narration.told())[-1] == ("text", "msg_1", "text", "Hel")
    for number in range(100):
        log.text(f"unheard-of-{number}", "text", 0, "x")
    assert sum(log.text_of(f"unheard-of-{number}").size for number in range(100)) < 10
    for item in script.items:
        feed(log, item)
    assert without_cancelling(shown(narration.told()))[0] == ("text", "msg_1", "text", "lo")


def test_text_that_comes_after_its_end_is_not_told() -> None:
    script = answer("Hel", "lo", end="lost")
    log = log_of(script.items)
    narration = Narration(log, through_actions=True)
    narration.told()
    assert not log.text("step_1", "text", 5, "!")
    assert narration.told() == []


def test_an_event_that_is_not_known_has_its_place_and_tells_nothing() -> None:
    items = Script().begin().items
    log = log_of(items)
    assert isinstance(items[1], Stored)
    pondering = {"run": items[1].data["run"] | {"status": "pondering"}}
    assert log.event(3, "threadworks.run.pondering.v1", pondering)
    assert log.event(4, "threadworks.weather.changed.v1", {})
    narration = Narration(log, through_actions=True)
    assert shown(narration.told()) == [("run", "created"), ("run", "queued"), ("run", "in_progress")]
    assert not log.event(6, "threadworks.run.completed.v1", {})
    assert log.behind


@given(script=scripts(), data=st.data())
@settings(max_examples=50, deadline=None)
def test_events_may_come_in_any_order_and_more_than_once(script: Script, data: st.DataObject) -> None:
    stored = [item for item in script.items if isinstance(item, Stored)]
    log = RunLog()
    log.begin(RUN, [])
    narration, told = Narration(log, through_actions=True), Reader()
    for item in data.draw(st.permutations(stored)):
        feed(log, item)
        told.take(narration.told())
    while log.behind:
        for item in stored:
            feed(log, item)
    told.take(narration.told())
    check(script, told.got, whole=False)


def test_nothing_is_told_before_the_place_that_was_asked_for() -> None:
    script = answer("Hello").run("completed")
    log = RunLog()
    narration = Narration(log, Place(4, 0), through_actions=True)
    for item in script.items[:3]:
        feed(log, item)
        assert narration.told() == []
    for item in script.items:
        feed(log, item)
    assert shown(narration.told()) == [("step", "completed", "step_1"), ("run", "completed"), ("end",)]


@pytest.mark.parametrize("final", ["Hi", "Bye, then"])
def test_a_final_text_that_differs_is_completed_where_it_is_longer(final: str) -> None:
    log = RunLog()
    narration = Narration(log, through_actions=True)
    told: list[Told] = []
    for item in answer("Hel").items[:4]:
        feed(log, item)
        told += narration.told()
    for item in answer(final).items:
        feed(log, item)
    told += narration.told()
    assert "".join(each.text for each in told if isinstance(each, TextTold)) == "Hel" + final[3:]
    assert isinstance(told[-2], MessageTold)
    assert told[-2].message.content[0]["text"]["value"] == final
