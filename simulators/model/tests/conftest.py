"""A running simulator and clients for it, for the tests of its HTTP side."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from model_simulator import ModelSimulator, SimulatorSettings

KEY = "sk-test-key-0123456789"


@pytest.fixture(scope="session")
async def simulator() -> AsyncIterator[ModelSimulator]:
    simulator = ModelSimulator(SimulatorSettings(port=0))
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture(scope="session")
async def client(simulator: ModelSimulator) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=simulator.root_url, headers=headers) as client:
        yield client


@pytest.fixture
async def http(client: httpx.AsyncClient) -> httpx.AsyncClient:
    await client.post("/control/reset")
    return client


@pytest.fixture(scope="session")
async def model(simulator: ModelSimulator) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=simulator.base_url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def moodle_tool() -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": "get_moodle_course_content",
            "parameters": {"type": "object", "required": ["courseid"], "properties": {"courseid": {"type": "string"}}},
        },
    }
