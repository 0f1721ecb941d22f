"""`threadworks up` with a model, a Moodle and a Kafka that the test holds in its own hands."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from held_model import HeldModel
from installation import StartUp
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


@pytest_asyncio.fixture
async def start_up(model: HeldModel, moodle: MoodleSimulator) -> AsyncIterator[StartUp]:
    """Starts `threadworks up` on the test's model and Moodle, with more settings where given."""
    data_dir = Path(tempfile.mkdtemp(prefix="threadworks-chaos-"))
    starting = StartUp(
        data_dir,
        {
            **model.environment,
            "THREADWORKS_MOODLE_BASE_URL": moodle.base_url,
            "THREADWORKS_MOODLE_TOKEN": DEMO_TOKEN,
        },
    )
    yield starting
    for installation in starting.started:
        await installation.stop()
    shutil.rmtree(data_dir, ignore_errors=True)
