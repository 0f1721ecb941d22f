"""What a newcomer does first, with the unmodified official SDK: ask the demo assistant for the dates of its course."""

import asyncio

import orjson
from installation import Installation
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from threadworks import demo

DATES = ("25.10.", "26.10.", "08.11.", "22.11.")


async def test_the_answer_holds_the_dates_of_the_recorded_course(installation: Installation) -> None:
    client = installation.client()
    assistant = await client.beta.assistants.retrieve(demo.ASSISTANT)
    assert assistant.model == "demo"
    thread = await client.beta.threads.create()
    await client.beta.threads.messages.create(thread.id, role="user", content="gib mir die termine von moodle")
    run = await client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert (run.status, run.last_error) == ("completed", None)
    assert run.usage is not None
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens > 0

    messages = (await client.beta.threads.messages.list(thread.id)).data
    assert [message.role for message in messages] == ["assistant", "user"]
    answer = messages[0].content[0]
    assert answer.type == "text"
    for date in DATES:
        assert date in answer.text.value
    assert "WH Gebäude C 406" in answer.text.value
    assert messages[0].run_id == run.id
    assert messages[0].assistant_id == assistant.id

    steps = (await client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc")).data
    assert [(step.type, step.status) for step in steps] == [
        ("tool_calls", "completed"),
        ("message_creation", "completed"),
    ]
    details = steps[0].step_details
    assert details.type == "tool_calls"
    call = details.tool_calls[0]
    assert call.type == "function"
    assert call.function.name == "get_moodle_course_content"
    assert orjson.loads(call.function.arguments) == {"courseid": "51589"}
    assert call.function.output is not None
    for date in DATES:
        assert date in call.function.output
    assert sum(step.usage.total_tokens for step in steps if step.usage) == run.usage.total_tokens


async def test_one_request_starts_thread_and_run(installation: Installation) -> None:
    client = installation.client()
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=demo.ASSISTANT,
        thread={"messages": [{"role": "user", "content": "Wann sind die Termine?"}]},
    )
    assert run.status == "completed"
    answer = (await client.beta.threads.messages.list(run.thread_id)).data[0].content[0]
    assert answer.type == "text"
    assert "25.10." in answer.text.value


async def test_additional_messages_are_asked_about(installation: Installation) -> None:
    client = installation.client()
    thread = await client.beta.threads.create()
    run = await client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=demo.ASSISTANT,
        additional_messages=[{"role": "user", "content": "was ist java in 3 worten"}],
    )
    assert run.status == "completed"
    messages = (await client.beta.threads.messages.list(thread.id)).data
    assert [message.role for message in messages] == ["assistant", "user"]


async def test_the_client_answers_its_own_tool(installation: Installation) -> None:
    client = installation.client()
    assistant = await client.beta.assistants.create(
        model="demo",
        instructions="The course id is 4711.",
        tools=[
            {
                "type": "function",
                "function": {
                    "name": "look_up_dates",
                    "description": "Dates of a course.",
                    "parameters": {
                        "type": "object",
                        "properties": {"courseid": {"type": "string"}},
                        "required": ["courseid"],
                    },
                },
            }
        ],
    )
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "What are the dates?"}]}
    )
    assert run.status == "requires_action"
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    assert [call.function.name for call in calls] == ["look_up_dates"]
    done = await client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "Exam: 08.02.2027, 09:00, H 0.01"} for call in calls],
    )
    assert done.status == "completed"
    answer = (await client.beta.threads.messages.list(run.thread_id)).data[0].content[0]
    assert answer.type == "text"
    assert "08.02.2027" in answer.text.value


async def test_two_runs_at_the_same_moment_one_wins(installation: Installation) -> None:
    client = installation.client()

    async def attempt(thread_id: str) -> str:
        try:
            # The model thinks for longer than two requests are apart on a busy machine: the first run is still active.
            await client.beta.threads.runs.create(thread_id, assistant_id=demo.ASSISTANT, model="demo+first=3")
        except BadRequestError as error:
            return str(error.body["message"])  # type: ignore[index]
        return "won"

    async def one() -> None:
        thread = await client.beta.threads.create(messages=[{"role": "user", "content": "hello"}])
        outcomes = await asyncio.gather(attempt(thread.id), attempt(thread.id))
        run = (await client.beta.threads.runs.list(thread.id)).data
        assert len(run) == 1
        assert sorted(outcomes) == sorted(["won", f"Thread {thread.id} already has an active run {run[0].id}."])

    await asyncio.gather(*(one() for _ in range(50)))


async def test_a_deleted_thread_is_gone(installation: Installation) -> None:
    client = installation.client()
    run = await client.beta.threads.create_and_run(
        assistant_id=demo.ASSISTANT, thread={"messages": [{"role": "user", "content": "hello"}]}
    )
    deleted = await client.beta.threads.delete(run.thread_id)
    assert (deleted.id, deleted.deleted) == (run.thread_id, True)
    for look in (client.beta.threads.retrieve(run.thread_id), client.beta.threads.messages.list(run.thread_id)):
        try:
            await look
        except NotFoundError as error:
            assert error.body["message"] == f"No thread found with id '{run.thread_id}'."  # type: ignore[index]
        else:
            raise AssertionError("the thread is still there")


async def test_many_runs_at_once(installation: Installation) -> None:
    client: AsyncOpenAI = installation.client()

    async def one(number: int) -> str:
        run = await client.beta.threads.create_and_run_poll(
            assistant_id=demo.ASSISTANT,
            thread={"messages": [{"role": "user", "content": f"gib mir die termine von moodle, frage {number}"}]},
        )
        messages = (await client.beta.threads.messages.list(run.thread_id)).data
        assert [message.role for message in messages] == ["assistant", "user"]
        assert messages[0].content[0].type == "text"
        assert "25.10." in messages[0].content[0].text.value
        return run.status

    assert set(await asyncio.gather(*(one(number) for number in range(40)))) == {"completed"}
