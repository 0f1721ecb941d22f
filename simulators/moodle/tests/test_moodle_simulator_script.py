"""Scripted behaviour: delays, held calls, counters, and the same over the control endpoint."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from moodle_simulator import DEMO_TOKEN, MoodleSimulator, Recordings

REST = "/webservice/rest/server.php"
CONTENTS = "core_course_get_contents"
RECORDINGS = Recordings.load()


@pytest.fixture
async def simulator() -> AsyncIterator[MoodleSimulator]:
    simulator = MoodleSimulator(recordings=RECORDINGS)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def client(simulator: MoodleSimulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=simulator.base_url) as client:
        yield client


async def contents_of(client: httpx.AsyncClient, course: str) -> httpx.Response:
    fields = {"wstoken": DEMO_TOKEN, "wsfunction": CONTENTS, "moodlewsrestformat": "json", "courseid": course}
    return await client.post(REST, data=fields)


async def test_held_calls_wait_and_others_do_not(simulator: MoodleSimulator, client: httpx.AsyncClient) -> None:
    simulator.script.hold({"courseid": "50726"})
    held = asyncio.create_task(contents_of(client, "50726"))
    await simulator.script.called(CONTENTS, 1)
    assert (await contents_of(client, "51589")).status_code == 200
    assert not held.done()
    await simulator.script.release()
    assert (await held).status_code == 200


async def test_stop_answers_what_is_held(client: httpx.AsyncClient, simulator: MoodleSimulator) -> None:
    simulator.script.hold()
    held = asyncio.create_task(contents_of(client, "51589"))
    await simulator.script.called(CONTENTS, 1)
    await simulator.stop()
    assert (await held).status_code == 200


async def test_answers_can_be_delayed(simulator: MoodleSimulator, client: httpx.AsyncClient) -> None:
    simulator.script.delay(0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await contents_of(client, "51589")
    assert loop.time() - began >= 0.05


async def test_the_control_endpoint_scripts_counts_and_resets(client: httpx.AsyncClient) -> None:
    failure = "core_course_get_contents/err_php_fatal_http500"
    wishes = {"delay_seconds": 0, "fail_next": {"count": 2, "recording": failure}}
    assert (await client.post("/_simulator/script", json=wishes)).json()["fail_next"] == [failure, failure]
    assert [(await contents_of(client, "51589")).status_code for _ in range(3)] == [500, 500, 200]
    assert (await client.get("/_simulator/script")).json()["calls"] == {CONTENTS: 3}
    assert (await client.delete("/_simulator/script")).json()["calls"] == {}


async def test_the_control_endpoint_holds_and_releases(simulator: MoodleSimulator, client: httpx.AsyncClient) -> None:
    await client.post("/_simulator/script", json={"hold": {}})
    held = asyncio.create_task(contents_of(client, "51589"))
    await simulator.script.called(CONTENTS, 1)
    assert not held.done()
    await client.post("/_simulator/script", json={"hold": None})
    assert (await held).status_code == 200


@pytest.mark.parametrize("wishes", [{"colour": 1}, {"fail_next": {"count": 1, "recording": "x/y"}}, {"fail_next": 3}])
async def test_the_control_endpoint_refuses_what_it_does_not_know(
    client: httpx.AsyncClient, wishes: dict[str, object]
) -> None:
    assert (await client.post("/_simulator/script", json=wishes)).status_code == 400


async def test_an_unknown_failure_is_refused(simulator: MoodleSimulator) -> None:
    with pytest.raises(KeyError, match="no recording is named"):
        simulator.script.fail_next(1, "core_course_get_contents/err_imagined")


async def test_a_taken_port_is_an_error(simulator: MoodleSimulator) -> None:
    second = MoodleSimulator(port=int(simulator.base_url.rsplit(":", 1)[1]), recordings=RECORDINGS)
    with pytest.raises(OSError, match="in use"):
        await second.start()
