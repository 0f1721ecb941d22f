"""An installation starts, says so in one line, and leaves nothing behind."""

import signal
import tempfile
from pathlib import Path

import psutil
import pytest
from installation import Installation
from threadworks import demo


@pytest.mark.parametrize("mode", ["run", "up"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_stopping_leaves_nothing_behind(mode: str, number: signal.Signals) -> None:
    data_dir = Path(tempfile.mkdtemp(prefix=f"threadworks-stop-{mode}-"))
    installation = Installation(mode, data_dir)
    await installation.start()
    assert f"key={demo.KEY} assistant={demo.ASSISTANT}" in installation.output[-1]
    run = await installation.client().beta.threads.create_and_run_poll(
        assistant_id=demo.ASSISTANT, thread={"messages": [{"role": "user", "content": "hello"}]}
    )
    assert run.status == "completed"
    family = psutil.Process(installation.pid).children(recursive=True)
    assert family
    assert await installation.stop(number) == 0
    assert [process for process in family if process.is_running() and process.status() != "zombie"] == []

    await installation.start()  # on the same data: the thread is still there
    messages = await installation.client().beta.threads.messages.list(run.thread_id)
    assert len(messages.data) == 2
    assert await installation.stop() == 0
