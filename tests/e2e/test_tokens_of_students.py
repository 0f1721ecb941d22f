"""Students with tokens of their own on one course assistant: each sees what Moodle shows to this student.

No token is in clear anywhere but on its way to Moodle.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
from aiokafka import AIOKafkaConsumer
from installation import Installation
from moodle_simulator.owners import token_of
from openai import BadRequestError
from owlie_front_end import FrontEnd
from scripted_model import ScriptedModel
from threadworks import demo
from threadworks.local_servers.postgres_files import program
from websockets.asyncio.client import connect

HIDDEN_COURSE = "52110"
"""Its teacher sees it; students do not, and neither does the account of the service."""
TEACHER, STUDENT = token_of("teacher"), token_of("student1")
TOOL = "get_moodle_course_content"


def giving(token: str) -> dict[str, str]:
    return {"X-Tool-Credential": f"moodle={token}"}


def question(model: ScriptedModel) -> str:
    """A question that makes the model read the hidden course."""
    reading = {"tool_call": {"name": TOOL, "arguments": {"courseid": HIDDEN_COURSE}}}
    return model.will({"steps": [reading]}, {"steps": ["Gelesen."]})


async def outputs(installation: Installation, thread_id: str, run_id: str) -> list[Any]:
    """What the service has answered to the calls of a run."""
    steps = await installation.client().beta.threads.runs.steps.list(run_id, thread_id=thread_id)
    details = [step.step_details for step in steps.data if step.step_details.type == "tool_calls"]
    found = [call.function.output for each in details for call in each.tool_calls if call.type == "function"]
    return [orjson.loads(output) if output and output.startswith("{") else output for output in found]


async def asked(
    installation: Installation, text: str, headers: Mapping[str, str], thread_id: str | None = None
) -> tuple[str, Any]:
    """Ask the demo assistant in a thread, a new one without an id; return it, and what Moodle's service said."""
    runs = installation.client().beta.threads
    message: Any = {"role": "user", "content": text}
    if thread_id is None:
        run = await runs.create_and_run_poll(
            assistant_id=demo.ASSISTANT, thread={"messages": [message]}, extra_headers=dict(headers)
        )
    else:
        run = await runs.runs.create_and_poll(
            thread_id=thread_id, assistant_id=demo.ASSISTANT, additional_messages=[message], extra_headers=dict(headers)
        )
    assert run.status == "completed", run.last_error
    (output,) = await outputs(installation, run.thread_id, run.id)
    return run.thread_id, output


async def test_each_sees_what_moodle_shows_to_this_student(installation: Installation, model: ScriptedModel) -> None:
    (_, shared), (ones, seen), (others, refused) = await asyncio.gather(
        asked(installation, question(model), {}),
        asked(installation, question(model), giving(TEACHER)),
        asked(installation, question(model), giving(STUDENT)),
    )
    assert shared["error"]["code"] == "course_not_accessible"
    assert "the account that is used to read it" in shared["error"]["message"]
    assert HIDDEN_COURSE in seen
    assert refused["error"]["code"] == "course_not_accessible"
    assert "Moodle does not give the user access to this course" in refused["error"]["message"]
    # The thread remembers: the next question needs to bring nothing. And a newer token replaces the one before.
    assert (await asked(installation, question(model), {}, ones))[1] == seen
    assert (await asked(installation, question(model), giving(TEACHER), others))[1] == seen
    assert "error" in (await asked(installation, question(model), giving("token-of-nobody"), ones))[1]


async def test_a_service_that_is_not_there_takes_no_token(installation: Installation) -> None:
    try:
        await installation.client().beta.threads.create(extra_headers={"X-Tool-Credential": "weather=sunny-token"})
    except BadRequestError as error:
        assert error.code == "tool_credential_refused"
        assert "sunny-token" not in str(error)
    else:
        raise AssertionError("a token for a stranger was taken")


async def test_the_front_end_of_the_course_chat(installation: Installation, model: ScriptedModel) -> None:
    course = {"course_name": "Tutorinnenqualifizierung", "mode_name": "general"}
    root = installation.url.removesuffix("/v1")
    async with httpx.AsyncClient(base_url=root, timeout=60) as http:
        front_end = FrontEnd(http)
        assistant = (await front_end.get("/api/get_assistant_ids", **course))["assistant_id"]

        async def begun(headers: Mapping[str, str]) -> str:
            reply = await http.post("/api/new", json={"assistant_id": assistant}, headers=headers)
            shown = reply.json()
            async with asyncio.timeout(60):
                while (await front_end.status(shown["thread_id"], shown["run_id"]))["status"] != "completed":
                    await asyncio.sleep(0.05)
            return str(shown["thread_id"])

        # A browser gives it with an ordinary request: websockets have no headers there.
        thread = await begun(giving(STUDENT))
        await model_told(model, front_end, thread, assistant, "Moodle does not give the user access")
        other = await begun({})
        await model_told(model, front_end, other, assistant, "the account that is used to read it")
        # A program may open the websocket with it.
        text = question(model)
        async with connect(
            f"{root.replace('http', 'ws')}/ws", proxy=None, additional_headers=giving(TEACHER)
        ) as socket:
            await socket.send(orjson.dumps({"thread_id": other, "message": text}).decode())
            async with asyncio.timeout(60):
                while await socket.recv(decode=True) != "˘DONE˘":
                    pass
        assert '"error"' not in told_after(model, text)

        # Outside of any run, too.
        path, body = f"/api/tools/{TOOL}", {"courseid": "51589"}
        own = await http.post(path, json=body, headers=giving(STUDENT))
        assert "WH Gebäude C 406" in own.json()["content"]
        refused = await http.post(path, json=body, headers=giving("token-of-nobody"))
        assert refused.status_code == 502
        assert "the access token that the user has given" in refused.json()["detail"]
        assert "token-of-nobody" not in refused.text


async def model_told(model: ScriptedModel, front_end: FrontEnd, thread: str, assistant: str, words: str) -> None:
    text = question(model)
    query = {"assistant_id": assistant, "message": text}
    assert (await front_end.http.get(f"/api/threads/{thread}/stream", params=query)).text == "Gelesen."
    assert words in told_after(model, text)


def told_after(model: ScriptedModel, text: str) -> str:
    """What the service has answered last to a question, as the model was told of it."""
    requests = [each["body"]["messages"] for each in orjson.loads(model.asked())["requests"] if text in str(each)]
    answers = [message["content"] for message in requests[-1] if message["role"] == "tool"]
    return str(answers[-1])


async def test_no_token_is_in_clear_anywhere(installation: Installation, model: ScriptedModel) -> None:
    await asked(installation, question(model), giving(STUDENT))
    held = {"logs": installation.logs(), "database": await dump(installation)}
    assert "thread_credentials" in held["database"]
    if installation.mode == "up":
        held["topics"] = await everything_on(installation.kafka)
        assert '"credentials":"' in held["topics"].replace(" ", "")
    private = (installation.data_dir / "tool-sealing-keys").read_text().strip()
    for where, text in held.items():
        assert len(text) > 10_000, where
        for secret in (TEACHER, STUDENT, "token-of-nobody", "sunny-token", private):
            assert secret not in text, where


async def dump(installation: Installation) -> str:
    """All that is in the database."""
    url = (installation.data_dir / "database-url").read_text().strip()
    process = await asyncio.create_subprocess_exec(
        str(program("pg_dump")), url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    found, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return found.decode()


async def everything_on(kafka: str) -> str:
    """All that is on any topic, headers and values."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        topics = [topic for topic in await consumer.topics() if topic.startswith("threadworks.")]
        assert "threadworks.tool-calls.moodle.v1" in topics
        consumer.subscribe(topics)
        async with asyncio.timeout(60):
            while not consumer.assignment():
                await consumer.getmany(timeout_ms=100)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(consumer.assignment())
            read: list[str] = []
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    read += [f"{record.headers} {(record.value or b'').decode(errors='replace')}" for record in records]
        return "\n".join(read)
    finally:
        await consumer.stop()
