"""Runs that end with an answer, from the event that wakes them to the events that tell of them."""

import asyncio
from typing import Any

import pytest


async def test_a_plain_question_is_answered(stage: Any) -> None:
    await stage.orchestrator()
    run = await stage.start_run()
    ended = await stage.until_status(run, "completed")
    assert stage.statuses(run) == ["queued", "in_progress", "completed"]
    assert len(await stage.texts(run)) == 1
    assert "java" in (await stage.texts(run))[0]
    assert ended.usage.prompt_tokens > 0
    assert ended.usage.completion_tokens > 0
    (request,) = await stage.model.requests()
    assert request["state"] == "finished"
    assert request["body"]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "was ist java in 3 worten"},
    ]
    assert request["body"]["stream_options"] == {"include_usage": True}


async def test_a_run_without_a_new_message_is_woken_by_a_command(stage: Any) -> None:
    await stage.orchestrator()
    first = await stage.start_run()
    await stage.until_status(first, "completed")
    second = await stage.runs.start("tenant", first.thread_id, stage.new_run(first.assistant_id))
    await stage.until_status(second, "completed")
    assert [message["role"] for message in (await stage.model.bodies())[1]["messages"]] == [
        "system",
        "user",
        "assistant",
    ]


async def test_a_message_without_a_run_wakes_nothing(stage: Any) -> None:
    await stage.orchestrator()
    thread = await stage.new_thread("hello")
    run = await stage.start_run()
    await stage.until_status(run, "completed")
    assert len(await stage.model.requests()) == 1
    assert (await stage.threads.get("tenant", thread.id)).active_run is None


async def test_what_the_run_asks_for_reaches_the_model(stage: Any) -> None:
    await stage.orchestrator()
    run = await stage.start_run(
        functions=["lookup"],
        temperature=0.25,
        top_p=0.5,
        max_completion_tokens=300,
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
        reasoning_effort="low",
        tool_choice="none",
    )
    await stage.until_status(run, "completed")
    (body,) = await stage.model.bodies()
    assert body["temperature"] == 0.25
    assert body["top_p"] == 0.5
    assert body["max_completion_tokens"] == 300
    assert body["parallel_tool_calls"] is False
    assert body["response_format"] == {"type": "json_object"}
    assert body["reasoning_effort"] == "low"
    assert body["tool_choice"] == "none"
    assert [tool["function"]["name"] for tool in body["tools"]] == ["lookup"]


async def test_the_demo_model_is_translated(stage: Any) -> None:
    await stage.orchestrator(demo_model="the-real-one")
    run = await stage.start_run()
    ended = await stage.until_status(run, "completed")
    assert (await stage.model.bodies())[0]["model"] == "the-real-one"
    assert ended.model == "demo"


async def test_last_messages_are_all_that_the_model_sees(stage: Any) -> None:
    await stage.orchestrator()
    thread = await stage.new_thread(*(f"message {number}" for number in range(120)))
    assistant = await stage.new_assistant()
    strategy = {"type": "last_messages", "last_messages": 3}
    run = await stage.runs.start("tenant", thread.id, stage.new_run(assistant, truncation_strategy=strategy))
    await stage.until_status(run, "completed")
    contents = [message["content"] for message in (await stage.model.bodies())[0]["messages"]]
    assert contents == ["Be brief.", "message 117", "message 118", "message 119"]


async def test_a_long_thread_is_read_page_by_page_up_to_the_bound(stage: Any) -> None:
    await stage.orchestrator(prompt_messages=110)
    thread = await stage.new_thread(*(f"message {number}" for number in range(120)))
    run = await stage.runs.start("tenant", thread.id, stage.new_run(await stage.new_assistant()))
    await stage.until_status(run, "completed")
    contents = [message["content"] for message in (await stage.model.bodies())[0]["messages"]]
    assert contents == ["Be brief.", *(f"message {number}" for number in range(10, 120))]


async def test_a_long_thread_is_read_up_to_its_characters(stage: Any) -> None:
    await stage.orchestrator(prompt_characters=1000)
    thread = await stage.new_thread(*(str(number) * 300 for number in range(1, 8)))
    run = await stage.runs.start("tenant", thread.id, stage.new_run(await stage.new_assistant()))
    await stage.until_status(run, "completed")
    contents = [message["content"][0] for message in (await stage.model.bodies())[0]["messages"][1:]]
    assert contents == ["5", "6", "7"]


@pytest.mark.parametrize(
    ("finish_reason", "run_reason", "message_reason"),
    [("length", "max_completion_tokens", "max_tokens"), ("content_filter", "content_filter", "content_filter")],
)
async def test_a_reply_that_was_cut_short_leaves_an_incomplete_run(
    stage: Any, finish_reason: str, run_reason: str, message_reason: str
) -> None:
    await stage.orchestrator()
    await stage.model.script({"steps": ["half an ans"], "finish_reason": finish_reason})
    run = await stage.start_run()
    ended = await stage.until_status(run, "incomplete")
    assert ended.incomplete_details == {"reason": run_reason}
    (message,) = (await stage.messages.list("tenant", run.thread_id, stage.page(), run.id)).items
    assert (message.status, message.incomplete_details) == ("incomplete", {"reason": message_reason})
    assert await stage.texts(run) == ["half an ans"]


async def test_an_empty_reply_completes_with_an_empty_text(stage: Any) -> None:
    await stage.orchestrator()
    await stage.model.script({"steps": []})
    run = await stage.start_run()
    await stage.until_status(run, "completed")
    assert await stage.texts(run) == [""]


async def test_what_postgresql_cannot_store_is_replaced(stage: Any) -> None:
    await stage.orchestrator()
    await stage.model.script({"steps": ["a\x00b"]})
    run = await stage.start_run()
    await stage.until_status(run, "completed")
    assert await stage.texts(run) == ["a\ufffdb"]


async def test_many_runs_at_once_are_all_answered(stage: Any) -> None:
    await stage.orchestrator(places=20)
    runs = await asyncio.gather(*(stage.start_run(f"question {number}") for number in range(60)))
    for run in runs:
        await stage.until_status(run, "completed")
        assert len(await stage.texts(run)) == 1
    assert len(await stage.model.requests()) == 60


async def test_no_more_runs_are_driven_than_there_are_places(stage: Any) -> None:
    await stage.orchestrator(places=2)
    await stage.model.script({"before": [{"gate": "g"}], "times": None})
    runs = [await stage.start_run() for _ in range(5)]
    await stage.model.wait(gate="g", waiting=2)
    await stage.until(lambda: sum("in_progress" in stage.statuses(run) for run in runs) == 2)
    assert [run["status"] for run in await stage.sql("SELECT status FROM runs ORDER BY position")].count("queued") == 3
    await stage.model.release("g")
    for run in runs:
        await stage.until_status(run, "completed")
