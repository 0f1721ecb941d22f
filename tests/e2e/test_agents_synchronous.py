"""`/agents/v1` on a whole installation: its document's request word for word, tools of both kinds, streams, limits.

The document's command and its replies are in `tests/agents`; nothing is replaced in them but host, key and ids.
"""

import asyncio
import json
import shlex
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from installation import Installation
from scripted_model import ScriptedModel, model_of
from threadworks import demo

FOLDER = Path(__file__).parents[1] / "agents"
HOST, THREAD = "https://api.haufe.ai", "497f6eca-6276-4993-bfeb-53cbbbba6f08"
EXAMPLE = json.loads((FOLDER / "run.json").read_text())
ERRORS = {each["error_code"]: each for each in json.loads((FOLDER / "errors.json").read_text())}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


class Agents:
    """An app of this dialect."""

    def __init__(self, installation: Installation) -> None:
        self.root = installation.url.removesuffix("/v1")
        self.http = httpx.AsyncClient(base_url=f"{self.root}/agents/v1", headers={"api-key": demo.KEY}, timeout=60)

    async def thread(self, *texts: str, **fields: Any) -> str:
        made = await self.sends("POST", "/threads", json={"assistant_id": demo.ASSISTANT, **fields})
        for text in texts:
            await self.sends("POST", f"/threads/{made['id']}/messages", json={"role": "user", "content": text})
        return str(made["id"])

    async def sends(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        reply = await self.http.request(method, path, **request)
        assert reply.status_code == status, reply.text
        return reply.json() if reply.content else None

    async def refused(self, method: str, path: str, status: int, code: str, **request: Any) -> None:
        """A request that has to be refused in the words of the document."""
        assert await self.sends(method, path, status, **request) == ERRORS[code]

    async def document(self, thread_id: str) -> Any:
        """The reply to the document's command, sent as curl sends it."""
        command = (FOLDER / "run.sh").read_text()
        assert THREAD in command
        words = shlex.split(command.replace(HOST, self.root).replace(THREAD, thread_id))
        assert words[:3] == ["curl", "-X", "POST"]
        url, header, body = words[3], words[words.index("-H") + 1], words[words.index("-d") + 1]
        name, _, value = header.partition(": ")
        request = self.http.build_request("POST", url, headers={name: value}, content=body.encode())
        reply = await self.http.send(request)
        assert reply.status_code == 200, reply.text
        return reply.json()


@pytest_asyncio.fixture
async def agents(installation: Installation) -> AsyncIterator[Agents]:
    agents = Agents(installation)
    yield agents
    await agents.http.aclose()


def same_shape(example: Any, reply: Any) -> bool:
    """Whether a reply has the names of the example, and values of the same types."""
    if isinstance(example, dict):
        return (
            isinstance(reply, dict)
            and example.keys() == reply.keys()
            and all(same_shape(each, reply[name]) for name, each in example.items())
        )
    if isinstance(example, list):
        return isinstance(reply, list) and all(same_shape(example[0], each) for each in reply)
    return type(example) is type(reply)


async def test_the_command_of_the_document(agents: Agents, model: ScriptedModel) -> None:
    thread_id = await agents.thread(model.say(EXAMPLE["content"]))
    answer = await agents.document(thread_id)
    assert same_shape(EXAMPLE, answer), answer
    assert (answer["content"], answer["role"]) == (EXAMPLE["content"], "assistant")
    assert (answer["thread_id"], answer["sources"]) == (thread_id, [])
    assert answer["meta_data"]["type"] == (await agents.sends("GET", f"/threads/{thread_id}"))["assistant_id"]
    said = await agents.sends("GET", f"/threads/{thread_id}/messages")
    assert [(each["role"], each["id"]) for each in said][1:] == [("assistant", answer["id"])]


async def test_what_a_tool_service_has_found_is_a_source(agents: Agents) -> None:
    thread_id = await agents.thread("gib mir die termine von moodle")
    answer = await agents.document(thread_id)
    assert "25.10." in answer["content"]
    (source,) = answer["sources"]
    assert source["meta_data"]["document_title"] == "get_moodle_course_content"
    assert "25.10." in source["content"]
    roles = [each["role"] for each in await agents.sends("GET", f"/threads/{thread_id}/messages")]
    assert roles == ["user", "assistant", "tool", "assistant"]


async def test_the_client_answers_calls_of_its_own_tools(agents: Agents, model: ScriptedModel) -> None:
    call = {"tool_call": {"name": "weather", "arguments": {"at": "Berlin"}}}
    question = model.will({"steps": [call]}, {"steps": ["Es ist ", "sonnig."]})
    path = f"/threads/{await agents.thread(question)}"
    asking = await agents.sends("POST", f"{path}/run", json={"tools": [WEATHER]})
    (asked,) = asking["tool_calls"]
    assert asked["function"]["name"] == "weather"
    assert json.loads(asked["function"]["arguments"]) == {"at": "Berlin"}
    assert (await agents.sends("POST", f"{path}/run", 422))["error_code"] == "validation_error"
    output = {"role": "tool", "tool_call_id": asked["id"], "content": "sonnig"}
    await agents.sends("POST", f"{path}/messages", json=output)
    answer = await agents.sends("POST", f"{path}/run")
    assert (answer["content"], [each["content"] for each in answer["sources"]]) == ("Es ist sonnig.", ["sonnig"])
    roles = [each["role"] for each in await agents.sends("GET", f"{path}/messages")]
    assert roles == ["user", "assistant", "tool", "assistant"]


async def test_a_stream_is_written_while_the_model_writes(agents: Agents, model: ScriptedModel) -> None:
    gate = model.gate()
    thread_id = await agents.thread(model.say("Zwei ", {"gate": gate}, "Wochen."))
    lines = []
    async with agents.http.stream("POST", f"/threads/{thread_id}/run/stream", json={}) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "application/x-ndjson"
        async for line in reply.aiter_lines():
            lines.append(json.loads(line))
            if len(lines) == 1:
                assert lines[0]["delta"]["content"] == "Zwei "
                model.release(gate)
    assert "".join(line["delta"]["content"] for line in lines) == "Zwei Wochen."
    assert {(line["thread_id"], line["delta"]["role"]) for line in lines} == {(thread_id, "assistant")}
    answer = (await agents.sends("GET", f"/threads/{thread_id}/messages"))[-1]
    assert {line["message_id"] for line in lines} == {answer["id"]}


async def test_refusals_in_the_words_of_the_document(agents: Agents, model: ScriptedModel) -> None:
    await agents.refused("POST", f"/threads/{uuid.uuid4()}/run", 404, "thread_not_found", json={})
    body = {"assistant_id": str(uuid.uuid4())}
    await agents.refused("POST", "/threads", 403, "assistant_not_available", json=body)
    thread_id = await agents.thread(model.will({"error": "permission_denied"}))
    await agents.refused("POST", f"/threads/{thread_id}/run", 503, "internal_service_error")
    whole = await agents.http.post(
        f"{agents.root}/v1/assistants",
        headers={"authorization": f"Bearer {demo.KEY}"},
        json={"model": "demo", "metadata": {"streaming": "off"}},
    )
    path = f"/threads/{await agents.thread('hi', assistant_id=whole.json()['id'])}"
    await agents.refused("POST", f"{path}/run/stream", 409, "engine_does_not_support_streaming", json={})
    await agents.sends("DELETE", path, 204)
    await agents.refused("POST", f"{path}/run", 404, "thread_not_found", json={})


@pytest.fixture(scope="module", params=["run", "up"])
def strict_folder(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    folder = Path(tempfile.mkdtemp(prefix=f"threadworks-agents-{request.param}-"))
    yield request.param, folder
    shutil.rmtree(folder, ignore_errors=True)


async def test_limits_are_settings(strict_folder: tuple[str, Path]) -> None:
    mode, folder = strict_folder
    most = 40
    limits = {"THREADWORKS_AGENTS_TIMEOUT": "0.3", "THREADWORKS_AGENTS_REQUESTS_PER_MINUTE": str(most)}
    installation = Installation(mode, folder, limits)
    await installation.start()
    try:
        agents = Agents(installation)
        codes: list[int] = []

        async def note(reply: httpx.Response) -> None:
            codes.append(reply.status_code)

        agents.http.event_hooks["response"].append(note)
        with model_of(installation) as model:
            gate = model.gate()
            path = f"/threads/{await agents.thread(model.say({'gate': gate}, 'Zwei Wochen.'))}"
            await agents.refused("POST", f"{path}/run", 504, "api_timeout_error", json={})
            model.release(gate)
            # The run goes on.
            async with asyncio.timeout(60):
                while len(said := await agents.sends("GET", f"{path}/messages")) < 2:
                    await asyncio.sleep(0.5)
        assert said[1]["content"] == "Zwei Wochen."
        while (await agents.http.get("/threads")).status_code == 200:
            pass
        await agents.refused("GET", "/threads", 429, "rate_limit_gateway")
        assert codes.count(429) == len(codes) - most
        await agents.http.aclose()
    finally:
        await installation.stop()
