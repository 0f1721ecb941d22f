"""`threadworks up` with a model, a Moodle and a Kafka that the test holds in its own hands."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio
from held_model import HeldModel
from installation import Installation
from model_simulator import ModelSimulator
from moodle_simulator.owners import DEMO_TOKEN
from moodle_simulator.server import MoodleSimulator


@pytest_asyncio.fixture
async def model() -> AsyncIterator[HeldModel]:
    simulator = ModelSimulator()
    await simulator.start()
    held = HeldModel(simulator)
    yield held
    await held.close()
    await simulator.stop()


@pytest_asyncio.fixture
async def moodle() -> AsyncIterator[MoodleSimulator]:
    simulator = MoodleSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


StartUp = Callable[..., Awaitable[Installation]]


@pytest_asyncio.fixture
async def start_up(model: HeldModel, moodle: MoodleSimulator) -> AsyncIterator[StartUp]:
    """Starts `threadworks up` on the test's model and Moodle, with more settings where given."""
    started: list[Installation] = []
    data_dir = Path(tempfile.mkdtemp(prefix="threadworks-chaos-"))

    async def start(**environment: str) -> Installation:
        told = {
            **model.environment,
            "THREADWORKS_MOODLE_BASE_URL": moodle.base_url,
            "THREADWORKS_MOODLE_TOKEN": DEMO_TOKEN,
            **environment,
        }
        installation = Installation("up", data_dir, told)
        started.append(installation)
        await installation.start()
        return installation

    yield start
    for installation in started:
        await installation.stop()
    shutil.rmtree(data_dir, ignore_errors=True)
