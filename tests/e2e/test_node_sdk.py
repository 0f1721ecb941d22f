"""The official openai-node against an installation, on the way that is recorded: content, order and ids.

It validates hardly anything itself, so what its programs tell is looked at here to the letter.
"""

from collections.abc import Callable
from itertools import pairwise, takewhile
from typing import Any

import pytest
from node_programs import NodePrograms
from recording_proxy import RecordingProxy
from scripted_model import ScriptedModel
from threadworks import demo

Run = Callable[..., dict[str, Any]]

BEGUN = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
STEP = ["thread.run.step.created", "thread.run.step.in_progress"]
WRITING = [*STEP, "thread.message.created", "thread.message.in_progress", "thread.message.delta"]
WRITTEN = [*WRITING, "thread.message.completed", "thread.run.step.completed"]
CALLING = [*STEP, "thread.run.step.delta"]
WRITES = ["runStepCreated", "messageCreated", "textCreated", "messageDelta", "textDelta"]
WROTE = ["textDone", "messageDone", "runStepDone"]


def call(what: str) -> dict[str, Any]:
    return {"tool_call": {"name": "look_up", "arguments": {"what": what}}}


def in_short(names: list[str]) -> list[str]:
    """The names with deltas that follow each other as one."""
    return [name for before, name in pairwise(["", *names]) if name != before or not name.endswith("delta")]


def heard(notes: dict[str, Any]) -> list[str]:
    """The listeners that were called, in order; those of one delta that are called again stand there once."""
    names: list[str] = []
    for name in (each["name"] for each in notes["calls"]):
        if name not in takewhile(lambda each: each.endswith("Delta"), reversed(names)):
            names.append(name)
    return names


def of(notes: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """What the listener of that name was told."""
    return [
        {key: value for key, value in each.items() if key != "name"} for each in notes["calls"] if each["name"] == name
    ]


@pytest.fixture
def run(programs: NodePrograms, proxy: RecordingProxy, model: ScriptedModel) -> Run:
    """Runs a program against the installation, on the recorded way."""

    def run(program: str, **given: Any) -> dict[str, Any]:
        return programs.run(
            program, url=proxy.url, key=demo.KEY, assistant=demo.ASSISTANT, model=model.root_url, **given
        )

    return run


def test_every_operation(run: Run, model: ScriptedModel, proxy: RecordingProxy) -> None:
    proxy.facts.operations.clear()
    question = model.will({"steps": [call("x")]}, {"steps": ["It is."]})
    told = run("operations", question=question, waits=model.will({"steps": [call("y")]}))

    made = told["assistants"]
    assert [each["name"] for each in made] == ["first", "second", "third"]
    assert [each["metadata"] for each in made] == [{"name": each["name"]} for each in made]
    assert (made[0]["instructions"], made[0]["tools"][0]["function"]["name"]) == ("Be brief.", "look_up")
    assert told["retrieved"] == made[0]
    assert told["updated"] == {**made[0], "name": "changed"}
    assert told["listed"] == [each["id"] for each in reversed(made)]
    assert [(each["id"], each["deleted"]) for each in told["assistantsDeleted"]] == [
        (each["id"], True) for each in made
    ]

    thread = told["thread"]
    assert told["threadRetrieved"] == thread
    assert (told["threadUpdated"]["id"], told["threadUpdated"]["metadata"]["c"]) == (thread["id"], "d")
    messages = told["messages"]
    assert [each["content"][0]["text"]["value"] for each in messages] == ["one", "two", "three"]
    assert {each["thread_id"] for each in messages} == {thread["id"]}
    assert [each["id"] for each in told["page"]["data"]] == [messages[2]["id"], messages[1]["id"]]
    assert (told["page"]["has_more"], told["nextPage"]) == (True, [messages[0]["id"]])
    assert told["message"] == messages[1]
    assert told["messageUpdated"] == {**messages[1], "metadata": {"e": "f"}}
    assert told["messageDeleted"] == {"id": messages[1]["id"], "object": "thread.message.deleted", "deleted": True}

    begun, waiting, done = told["run"], told["waiting"], told["done"]
    assert (begun["status"], begun["thread_id"], begun["assistant_id"]) == ("queued", thread["id"], made[0]["id"])
    assert (waiting["id"], waiting["status"]) == (begun["id"], "requires_action")
    (asked,) = waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert asked["function"] == {"name": "look_up", "arguments": '{"what":"x"}'}
    assert (told["submitted"]["id"], told["submitted"]["status"]) == (begun["id"], "queued")
    assert (done["status"], done["metadata"]["g"], told["runs"]) == ("completed", "h", [begun["id"]])
    assert told["runUpdated"] == done
    steps = told["steps"]
    assert [(each["type"], each["run_id"]) for each in steps] == [
        ("tool_calls", begun["id"]),
        ("message_creation", begun["id"]),
    ]
    (answered,) = steps[0]["step_details"]["tool_calls"]
    assert (answered["id"], answered["function"]["output"]) == (asked["id"], "found")
    assert told["step"] == steps[0]
    assert told["answer"]["id"] == steps[1]["step_details"]["message_creation"]["message_id"]
    assert told["answer"]["content"][0]["text"] == {"value": "It is.", "annotations": []}
    assert "Cannot cancel run with status 'completed'" in told["lateCancel"]["message"]
    assert (told["parked"], told["cancelled"]["status"]) == ("requires_action", "cancelled")

    file = told["file"]
    assert (file["filename"], file["bytes"]) == ("grüße.txt", len(told["content"].encode()))
    assert told["content"] == "Grüße aus einer Datei"
    assert told["fileRetrieved"] == file
    assert told["files"][0] == file["id"]
    assert told["fileDeleted"]["id"] == file["id"]
    assert "demo" in told["models"]
    assert told["threadDeleted"] == {"id": thread["id"], "object": "thread.deleted", "deleted": True}
    assert (told["gone"]["kind"], told["gone"]["status"]) == ("NotFoundError", 404)
    assert (told["wrong"]["kind"], told["wrong"]["param"], told["wrong"]["code"]) == (
        "BadRequestError",
        "temperature",
        "decimal_above_max_value",
    )

    known = {
        each for each in proxy.facts.known_operations() if each[1].startswith(("/assistants", "/threads", "/files"))
    }
    # Ours, which the SDKs do not know; and the one that the other programs call.
    known -= {("GET", "/threads")}
    assert known <= proxy.facts.operations


def test_the_polling_helpers(run: Run, model: ScriptedModel) -> None:
    question = model.will({"steps": [call("x")]}, {"steps": ["It is."]}, {"steps": ["Again."]})
    told = run("polling", question=question)
    assert (told["waiting"]["status"], told["done"]["status"], told["again"]["status"]) == (
        "requires_action",
        "completed",
        "completed",
    )
    assert told["done"]["id"] == told["waiting"]["id"] != told["again"]["id"]
    assert told["messages"] == [
        [None, [question]],
        [told["done"]["id"], ["It is."]],
        [told["again"]["id"], ["Again."]],
    ]


def test_a_plain_answer_with_every_listener(run: Run, model: ScriptedModel) -> None:
    gate = model.gate()
    question = model.say("Grüß Gott, ", {"gate": gate}, "👋 Welt.")
    told = run("plain_stream", question=question, first="Grüß Gott, ", gate=gate)
    notes, message = told["notes"], told["stored"]
    assert in_short(notes["events"]) == [*BEGUN, *WRITTEN, "thread.run.completed"]
    assert heard(notes) == ["connect", *WRITES, *WROTE, "run", "end"]
    assert notes["texts"] == ["Grüß Gott, ", "👋 Welt."]
    assert [each["snapshot"] for each in of(notes, "textDelta")] == ["Grüß Gott, ", "Grüß Gott, 👋 Welt."]
    assert of(notes, "textDone") == [{"value": "Grüß Gott, 👋 Welt."}]
    assert of(notes, "messageDone") == [{"id": message["id"], "status": "completed", "texts": ["Grüß Gott, 👋 Welt."]}]
    assert of(notes, "messageCreated") == [{"id": message["id"]}]
    (step,) = told["steps"]
    assert step["step_details"] == {"type": "message_creation", "message_creation": {"message_id": message["id"]}}
    assert of(notes, "runStepDone") == [{"id": step["id"], "status": "completed"}]
    assert told["messages"] == [message]
    assert (told["run"]["status"], told["run"]["metadata"], told["run"]["id"]) == (
        "completed",
        {"a": "b"},
        message["run_id"],
    )
    assert of(notes, "run") == [{"id": told["run"]["id"], "status": "completed"}]
    assert told["current"] == {"run": "completed", "event": "thread.run.completed"}


def test_calls_and_their_outputs_with_every_listener(run: Run, model: ScriptedModel) -> None:
    wanted = ["a long argument of many tokens", "another"]
    question = model.will({"steps": [call(what) for what in wanted]}, {"steps": ["Both ", "found."]})
    told = run("call_streams", question=question)
    asked, answered = told["asked"], told["answered"]
    assert in_short(asked["events"]) == ["thread.created", *BEGUN, *CALLING, "thread.run.requires_action"]
    calls = told["waiting"]["required_action"]["submit_tool_outputs"]["tool_calls"]
    arguments = [f'{{"what":"{what}"}}' for what in wanted]
    assert [each["function"] for each in calls] == [{"name": "look_up", "arguments": each} for each in arguments]
    ids = [each["id"] for each in calls]
    assert of(asked, "toolCallCreated") == [{"id": each, "function": "look_up"} for each in ids]
    assert of(asked, "toolCallDone") == [
        {"id": id_, "arguments": text} for id_, text in zip(ids, arguments, strict=True)
    ]
    assert [asked["argumentsOf"][each] for each in ids] == arguments
    assert heard(asked)[-3:] == ["toolCallDone", "run", "end"]

    assert in_short(answered["events"]) == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
        *WRITTEN,
        "thread.run.completed",
    ]
    assert heard(answered) == ["connect", "runStepDone", *WRITES, *WROTE, "run", "end"]
    assert "".join(answered["texts"]) == "Both found."
    assert told["done"]["id"] == told["waiting"]["id"]
    assert [each["type"] for each in told["steps"]] == ["tool_calls", "message_creation"]
    assert [(each["id"], each["function"]["output"]) for each in told["steps"][0]["step_details"]["tool_calls"]] == [
        (each, f"output of {each}") for each in ids
    ]
    (message,) = told["messages"]
    assert message["content"][0]["text"]["value"] == "Both found."


def test_a_call_that_a_service_answers(run: Run) -> None:
    told = run("whole_stream", question="gib mir die termine von moodle")
    notes = told["notes"]
    assert in_short(notes["events"]) == [
        "thread.created",
        *BEGUN,
        *CALLING,
        "thread.run.step.completed",
        *WRITTEN,
        "thread.run.completed",
    ]
    calls, wrote = told["steps"]
    (answered,) = calls["step_details"]["tool_calls"]
    assert of(notes, "toolCallDone") == [{"id": answered["id"], "arguments": '{"courseid":"51589"}'}]
    assert [each["id"] for each in of(notes, "runStepDone")] == [calls["id"], wrote["id"]]
    (message,) = told["messages"]
    text = message["content"][0]["text"]["value"]
    assert "".join(notes["texts"]) == text
    for date in ("25.10.", "26.10.", "08.11.", "22.11."):
        assert date in text
        assert date in answered["function"]["output"]
    assert told["run"]["status"] == "completed"


def test_text_beside_a_call_is_a_message_of_its_own(run: Run, model: ScriptedModel) -> None:
    question = model.will({"steps": ["One moment.", call("x")]}, {"steps": ["Done."]})
    told = run("call_streams", question=question)
    asked = told["asked"]
    assert in_short(asked["events"]) == ["thread.created", *BEGUN, *WRITTEN, *CALLING, "thread.run.requires_action"]
    ((spoken,), (answer,)) = of(asked, "messageDone"), told["messages"]
    assert (spoken["status"], spoken["texts"]) == ("completed", ["One moment."])
    assert (answer["content"][0]["text"]["value"], answer["id"] != spoken["id"]) == ("Done.", True)
    assert [each["arguments"] for each in of(asked, "toolCallDone")] == ['{"what":"x"}']
    assert told["done"]["status"] == "completed"


def test_a_message_that_was_cut_off_is_followed_by_another(run: Run, model: ScriptedModel) -> None:
    question = model.will({"steps": ["Never ", "sa", {"cut": True}]}, {"steps": ["Said."]})
    told = run("whole_stream", question=question)
    assert in_short(told["notes"]["events"]) == [
        "thread.created",
        *BEGUN,
        *WRITING,
        "thread.message.incomplete",
        "thread.run.step.failed",
        *WRITTEN,
        "thread.run.completed",
    ]
    assert [(each["status"], each["texts"]) for each in of(told["notes"], "messageDone")] == [
        ("incomplete", ["Never sa"]),
        ("completed", ["Said."]),
    ]
    assert [each["status"] for each in told["steps"]] == ["failed", "completed"]
    assert [each["id"] for each in told["messages"]] == [each["id"] for each in of(told["notes"], "messageDone")]


def test_streams_that_end_otherwise(run: Run, model: ScriptedModel) -> None:
    gate = model.gate()
    told = run(
        "raw_streams",
        halves=model.say("Half a ", {"gate": model.gate()}, "sentence."),
        fails=model.will({"status": 400}),
        left=model.say("Begun ", {"gate": gate}, "and ended."),
        gate=gate,
    )
    cancelled, failed = told["cancelled"], told["failed"]
    assert in_short([each["event"] for each in cancelled]) == [
        "thread.created",
        *BEGUN,
        *WRITING,
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]
    assert told["cancel"]["status"] == "cancelling"
    message = cancelled[-3]["data"]
    assert message["content"][0]["text"]["value"] == "Half a "
    assert message["incomplete_details"] == {"reason": "run_cancelled"}
    assert cancelled[-1]["data"]["id"] == told["cancel"]["id"]
    assert [each["event"] for each in failed] == ["thread.created", *BEGUN, "thread.run.failed"]
    assert failed[-1]["data"]["last_error"]["code"] == "invalid_prompt"
    assert told["left"]["status"] == "completed"
    assert told["leftMessage"]["content"][0]["text"]["value"] == "Begun and ended."
    for refused in (told["refused"], told["refusedHelper"]):
        assert refused["kind"] == "NotFoundError"
        assert "No thread found with id 'thread_nobody'" in refused["message"]
