"""`python -m model_simulator`: says what it is, answers, and ends with exit code 0 on a signal."""

import asyncio
import os
import signal
import sys

import httpx
import orjson
import pytest


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_serves_until_it_is_told_to_stop(ending: signal.Signals) -> None:
    environment = {
        **os.environ,
        "THREADWORKS_MODEL_SIMULATOR_MODEL": "from-environment",
        "THREADWORKS_LOG_FORMAT": "json",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "model_simulator", "--first-token-seconds", "0.01"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    started = orjson.loads(await process.stderr.readline())
    assert started["action"] == "model_simulator_started"
    assert "not a language model" in started["event"]
    async with httpx.AsyncClient(headers={"authorization": "Bearer sk-never-in-a-log-0123"}) as client:
        body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
        reply = await client.post(f"{started['base_url']}/chat/completions", json=body)
        assert reply.status_code == 200
        models = await client.get(f"{started['base_url']}/models")
        assert models.json()["data"][0]["id"] == "from-environment"
    process.send_signal(ending)
    out, err = await process.communicate()
    assert process.returncode == 0
    assert out == b""
    assert b"sk-never" not in err
    assert b"Traceback" not in err
