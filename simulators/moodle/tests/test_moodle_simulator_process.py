"""`python -m moodle_simulator` says what it is and where, and ends cleanly on SIGTERM."""

import asyncio
import re
import signal
import sys

import httpx


async def test_the_process_announces_itself_and_ends_with_0() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "moodle_simulator", "--log-format", "json", stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        line = (await asyncio.wait_for(process.stderr.readline(), 30)).decode()
        address = re.search(r"Moodle SIMULATOR at (http://\S+): it replays recorded replies and is not a Moodle", line)
        assert address is not None, line
        async with httpx.AsyncClient() as client:
            assert (await client.get(address[1])).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
