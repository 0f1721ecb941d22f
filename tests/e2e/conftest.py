"""One installation of each mode for all end-to-end tests of a session."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from installation import Installation


@pytest_asyncio.fixture(scope="session", params=["run", "up"])
async def installation(request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    """`threadworks run`, then `threadworks up`: every test that asks for it runs on both."""
    data_dir = Path(tempfile.mkdtemp(prefix=f"threadworks-{request.param}-"))
    started = Installation(request.param, data_dir)
    try:
        await started.start()
        yield started
    finally:
        await started.stop()
        shutil.rmtree(data_dir, ignore_errors=True)
