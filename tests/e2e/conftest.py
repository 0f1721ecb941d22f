"""One installation of each mode for all end-to-end tests of a session, and the ways to it."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from conformance.field_facts import FieldFacts
from either_client import EitherClient
from installation import Installation
from node_programs import NodePrograms, NoNode
from openai import AsyncOpenAI, OpenAI
from recording_proxy import RecordingProxy
from scripted_model import ScriptedModel, model_of
from threadworks import demo
from threadworks.local_servers.kafka_for_tests import missing_is_failure


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


@pytest.fixture(scope="session")
def recording(installation: Installation) -> Iterator[RecordingProxy]:
    proxy = RecordingProxy(installation.url, FieldFacts())
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def proxy(recording: RecordingProxy) -> Iterator[RecordingProxy]:
    """The way to the installation on which every reply is held to the field facts; one that differs fails the test."""
    recording.forget()
    yield recording
    recording.settle()
    assert recording.problems == []


@pytest.fixture(scope="session")
def control(installation: Installation) -> Iterator[ScriptedModel]:
    with model_of(installation) as model:
        yield model


@pytest.fixture
def model(control: ScriptedModel) -> Iterator[ScriptedModel]:
    """The installation's model, told by the test what to say; all of what it was told must have been asked for."""
    yield control
    unused = control.unused()
    control.forget()
    assert unused == []


@pytest_asyncio.fixture(scope="session")
async def clients(recording: RecordingProxy) -> AsyncIterator[dict[str, EitherClient]]:
    clients = {
        name: EitherClient(kind(base_url=recording.url, api_key=demo.KEY, max_retries=0, timeout=60))
        for name, kind in (("async", AsyncOpenAI), ("sync", OpenAI))
    }
    yield clients
    for client in clients.values():
        await client.now(client.openai.close())


@pytest.fixture(params=["async", "sync"])
def sdk(request: pytest.FixtureRequest, clients: dict[str, EitherClient], proxy: RecordingProxy) -> EitherClient:
    """The official SDK on the way that is recorded: its asynchronous client, then its synchronous one."""
    return clients[request.param]


@pytest.fixture(scope="session")
def programs() -> NodePrograms:
    """Without Node.js these tests fail when CI is set, and are skipped elsewhere."""
    programs = NodePrograms()
    try:
        programs.install()
    except NoNode as error:
        if missing_is_failure(os.environ):
            raise
        pytest.skip(f"no openai-node: {error}")
    return programs
