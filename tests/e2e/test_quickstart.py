"""The calls of a quickstart document for the Assistants API, word for word, but for host, key and ids.

They are in `tests/quickstart`, as the document has them: each step as a command, as JavaScript, and the reply that its
reader expects. Three of the four commands send no beta header, and the first sends `[]` for a body.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from node_programs import NodePrograms
from recording_proxy import RecordingProxy
from threadworks import demo
from threadworks.local_servers.kafka_for_tests import missing_is_failure

FOLDER = Path(__file__).parents[1] / "quickstart"
STEPS = sorted(each.stem for each in FOLDER.glob("*.sh"))
_CURL_SECONDS = 30
_SAME = ("object", "role", "type", "status")
"""What the reply says as the example does; of the rest it has the names and the types."""


def differences(example: Any, reply: Any, path: str = "") -> list[str]:
    """Where a reply is not as its example. It may say more, and more often."""
    if isinstance(example, dict) and isinstance(reply, dict):
        missing = [f"{path}.{name} is missing" for name in example.keys() - reply.keys()]
        return missing + [
            each
            for name in example.keys() & reply.keys()
            for each in differences(example[name], reply[name], f"{path}.{name}")
        ]
    if isinstance(example, list) and isinstance(reply, list):
        if len(reply) < len(example):
            return [f"{path} has {len(reply)} elements"]
        return [
            each for place, one in enumerate(example) for each in differences(one, reply[place], f"{path}[{place}]")
        ]
    if type(example) is not type(reply) or (path.endswith(_SAME) and example != reply):
        return [f"{path}: {reply!r} is not as {example!r}"]
    return []


def curl(step: str, url: str, **ids: str) -> Any:
    """Run the command of a step in a shell; return the reply."""
    command = (FOLDER / f"{step}.sh").read_text().replace("https://api.openai.com/v1", url)
    for name, value in {"OPEN_AI_API_KEY": demo.KEY, **ids}.items():
        command = command.replace(f"<{name}>", value)
    assert "<" not in command
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=_CURL_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def _curl() -> None:
    """Without curl these tests fail when CI is set, and are skipped elsewhere."""
    if shutil.which("curl") is None:
        assert not missing_is_failure(os.environ)
        pytest.skip("there is no curl on this machine")


def example(step: str) -> Any:
    return json.loads((FOLDER / f"{step}.json").read_text())


def test_the_document_has_four_steps_in_both_languages() -> None:
    assert len(STEPS) == 4
    assert sorted(each.name for each in FOLDER.iterdir()) == sorted(
        f"{step}.{kind}" for step in STEPS for kind in ("json", "mjs", "sh")
    )
    commands = [(FOLDER / f"{step}.sh").read_text() for step in STEPS]
    assert ["OpenAI-Beta" in each for each in commands] == [True, False, False, False]
    assert "--data '[]'" in commands[0]


@pytest.mark.usefixtures("_curl")
def test_the_commands(proxy: RecordingProxy) -> None:
    create, send, run, list_messages = STEPS
    thread = curl(create, proxy.url)
    assert differences(example(create), thread) == []
    ids = {"THREAD_ID": thread["id"], "ASSISTANT_ID": demo.ASSISTANT}
    message = curl(send, proxy.url, **ids)
    assert differences(example(send), message) == []
    assert message["content"][0]["text"]["value"] == "Where were you born?"
    started = curl(run, proxy.url, **ids)
    assert differences(example(run), started) == []
    assert completed(proxy.url, started)
    messages = curl(list_messages, proxy.url, **ids)
    assert differences(example(list_messages), messages) == []
    assert [each["id"] for each in messages["data"]][1:] == [message["id"]]
    assert messages["data"][0]["run_id"] == started["id"]
    assert messages["data"][0]["content"][0]["text"]["value"]


def test_the_javascript(programs: NodePrograms, proxy: RecordingProxy) -> None:
    snippets = [(FOLDER / f"{step}.mjs").read_text().replace("asst_sample", demo.ASSISTANT) for step in STEPS]
    told = programs.run("quickstart", url=proxy.url, key=demo.KEY, snippets=snippets)
    thread, message, run, messages = told["replies"]
    for step, reply in zip(STEPS, (thread, message, run, messages), strict=True):
        # createAndPoll returns when the run has ended.
        wanted = {**example(step), "status": "completed"} if reply is run else example(step)
        if reply is messages:
            # The SDK's page does not say that it is one.
            del wanted["object"]
        assert differences(wanted, reply) == [], step
    assert [each["id"] for each in messages["data"]][1:] == [message["id"]]
    assert (messages["data"][0]["run_id"], run["thread_id"]) == (run["id"], thread["id"])


def test_a_reply_that_is_not_as_its_example_is_found_out() -> None:
    """The guard is shown red."""
    (step,) = [each for each in STEPS if each.startswith("4")]
    reply = example(step)
    assert differences(reply, {**reply, "more": 1}) == []
    part = reply["data"][0]
    for wrong in (
        {**reply, "object": "page"},
        {**reply, "data": []},
        {**reply, "data": [{**part, "role": "user"}]},
        {**reply, "data": [{**part, "created_at": "1716133077"}]},
        {**reply, "data": [{name: part[name] for name in ("id", "role", "content")}]},
    ):
        assert differences(reply, wrong) != []


def completed(url: str, run: Any) -> bool:
    """Wait for the end of a run as any client does that knows no streams; return whether it went well."""
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {demo.KEY}"}, timeout=30) as http:
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/events"
        return "event: thread.run.completed" in http.get(path).text
