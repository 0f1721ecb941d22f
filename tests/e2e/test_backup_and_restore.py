"""A backup as docs/guides/operate.md tells it, taken while a run waits, and an installation that goes on from it."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from installation import Installation
from threadworks import demo
from threadworks.local_servers.postgres_files import program

FreshDatabase = Callable[..., Awaitable[str]]
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


async def _postgresql(name: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(str(program(name)), *arguments, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.mark.parametrize("mode", ["run", "up"])
async def test_an_installation_goes_on_from_its_backup(
    mode: str, fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    database, restored = await fresh_database(), await fresh_database()
    before = Installation(mode, tmp_path / "before", {"THREADWORKS_DATABASE_URL": database})
    after = Installation(mode, tmp_path / "after", {"THREADWORKS_DATABASE_URL": restored})
    backup = tmp_path / "threadworks.dump"
    try:
        await before.start()
        sdk = before.client()
        file = await sdk.files.create(file=("notes.txt", b"what was said"), purpose="assistants")
        answered = await sdk.beta.threads.create_and_run_poll(
            assistant_id=demo.ASSISTANT,
            thread={"messages": [{"role": "user", "content": "was sind die termine für diesen kurs"}]},
        )
        assert answered.status == "completed", answered.last_error
        said = (await sdk.beta.threads.messages.list(answered.thread_id)).data
        waiting = await sdk.beta.threads.create_and_run_poll(
            assistant_id=demo.ASSISTANT,
            tools=[WEATHER],  # type: ignore[list-item]
            tool_choice={"type": "function", "function": {"name": "get_weather"}},
            thread={"messages": [{"role": "user", "content": "wie ist das wetter"}]},
        )
        assert waiting.status == "requires_action", waiting.last_error
        assert waiting.required_action is not None
        (call,) = waiting.required_action.submit_tool_outputs.tool_calls

        # The database first: a file whose row is in the backup is then in the copy of the files, too.
        await _postgresql("pg_dump", "--format=custom", f"--file={backup}", database)
        shutil.copytree(before.data_dir / "files", after.data_dir / "files")
        # What happens after a backup is lost with the old database.
        await sdk.beta.threads.messages.create(answered.thread_id, role="user", content="danke")
        await before.stop()

        await _postgresql("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={restored}", str(backup))
        await after.start()
        sdk = after.client()
        assert (await sdk.beta.threads.messages.list(answered.thread_id)).data == said
        assert (await sdk.files.content(file.id)).content == b"what was said"
        run = await sdk.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=waiting.id,
            thread_id=waiting.thread_id,
            tool_outputs=[{"tool_call_id": call.id, "output": '{"sky": "clear"}'}],
        )
        assert run.status == "completed", run.last_error
        again = await sdk.beta.threads.runs.create_and_poll(
            thread_id=answered.thread_id,
            assistant_id=demo.ASSISTANT,
            additional_messages=[{"role": "user", "content": "was ist java in 3 worten"}],
        )
        assert again.status == "completed", again.last_error
    finally:
        await before.stop()
        await after.stop()
