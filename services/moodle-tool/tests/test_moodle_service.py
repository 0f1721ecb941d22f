"""The whole service: tool calls on the bus, answered from a Moodle over HTTP."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from moodle_simulator import MoodleSimulator, Recordings

sys.path.append(str(Path(__file__).parent))
from moodle_service_bench import PATIENCE, Bench

RECORDINGS = Recordings.load()
CONTENTS = "core_course_get_contents"


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[MoodleSimulator]:
    simulator = MoodleSimulator(recordings=RECORDINGS)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def moodle(running: MoodleSimulator) -> MoodleSimulator:
    await running.script.reset()
    return running


@pytest.fixture
async def bench(moodle: MoodleSimulator) -> AsyncIterator[Bench]:
    async with Bench(moodle.base_url) as bench:
        yield bench


async def test_it_announces_the_function_of_the_owlie_session(bench: Bench) -> None:
    announced = await asyncio.wait_for(bench.announcements.get(), PATIENCE)
    assert announced.data["service"] == {
        "name": "moodle",
        "functions": [
            {
                "name": "get_moodle_course_content",
                "description": "Fetches Moodle course content based on course ID.",
                "parameters": {
                    "type": "object",
                    "required": ["courseid"],
                    "properties": {
                        "courseid": {"type": "string", "description": "The Moodle course ID, e.g., '51589'."}
                    },
                },
                "timeout_seconds": 20,
            }
        ],
        "public_key": None,
    }
    assert [check() for check in bench.service.checks().values()] == [None, None]


@pytest.mark.parametrize("course_id", ["51589", 51589, 51589.0, " 51589 "])
async def test_the_model_gets_the_dates_of_the_course(bench: Bench, course_id: object) -> None:
    answer = await bench.call(course_id)
    assert answer.type == "threadworks.tool-call.completed.v1"
    for fact in [
        "25.10. | 09-15 Uhr | WH Gebäude C 406",
        "26.10. | 10-15 Uhr | WH Gebäude C 406",
        "08.11. | 09–12 Uhr | online in Zoom (+ Aufgabe mit flexibler Zeiteinteilung)",
        "22.11. | 09-14 Uhr | WH Gebäude C 406",
    ]:
        assert fact in answer.data["output"]


@pytest.mark.parametrize(
    ("course_id", "code"),
    [
        ("99999999", "course_not_found"),
        ("52110", "course_not_accessible"),
        ("abc", "invalid_arguments"),
        (None, "invalid_arguments"),
        (["51589"], "invalid_arguments"),
    ],
)
async def test_refusals_are_told(bench: Bench, course_id: object, code: str) -> None:
    answer = await bench.call(course_id)
    assert answer.type == "threadworks.tool-call.failed.v1"
    assert answer.data["error"]["code"] == code


async def test_a_slow_course_does_not_hold_up_another(moodle: MoodleSimulator, bench: Bench) -> None:
    moodle.script.hold({"courseid": "50726"})
    slow = asyncio.create_task(bench.call("50726"))
    await moodle.script.called(CONTENTS, 1)
    assert (await bench.call("51589")).type == "threadworks.tool-call.completed.v1"
    assert not slow.done()
    await moodle.script.release()
    assert "Programmierung" in (await slow).data["output"]


async def test_a_silent_moodle_is_told_as_such_before_the_deadline(moodle: MoodleSimulator, bench: Bench) -> None:
    moodle.script.hold()
    answer = await bench.call("51589", seconds=0.5)
    assert answer.data["error"]["code"] == "moodle_timeout"


async def test_every_recorded_course_of_the_demo_account_can_be_read(bench: Bench) -> None:
    for course_id in ("51589", "50726", "52003", "52200", "52305", "52888"):
        answer = await bench.call(course_id)
        assert answer.type == "threadworks.tool-call.completed.v1", course_id
        assert len(answer.data["output"]) <= 60_000
