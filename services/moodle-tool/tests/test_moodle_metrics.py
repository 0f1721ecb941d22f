"""Every metric in the list of moodle-tool is shown, and changes when what it counts happens."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from moodle_simulator import MoodleSimulator, Recordings
from moodle_tool.adapters.metrics import METRICS, MOODLE_REQUESTS
from observability import LOOP_LAG, Heartbeat, Meters
from observability.process_metrics import CONSUMED, CONSUMER_LAG, DEAD_LETTERS
from scraped_metrics import scrape
from service_process.bus_metrics import show_bus
from tool_service.metrics import CALLS

sys.path.append(str(Path(__file__).parent))
from moodle_service_bench import Bench

RECORDINGS = Recordings.load()
CONTENTS = "core_course_get_contents"


@pytest.fixture
async def moodle() -> AsyncIterator[MoodleSimulator]:
    simulator = MoodleSimulator(recordings=RECORDINGS)
    await simulator.start()
    yield simulator
    await simulator.stop()


async def test_every_metric_of_the_list(moodle: MoodleSimulator) -> None:
    meters = Meters()
    heartbeat = Heartbeat(meters, pause=lambda _: asyncio.sleep(0))
    async with Bench(moodle.base_url, meters=meters) as bench:
        show_bus(bench.bus, meters)
        before = await scrape(meters)
        heartbeat.start()
        await bench.call("51589")
        await bench.call("not a number")
        await bench.unreadable_call()
        after = await scrape(meters)
        await heartbeat.stop()
    assert before.missing(METRICS) == after.missing(METRICS) == set()
    assert before.strangers(METRICS) == after.strangers(METRICS) == set()

    assert before.value(MOODLE_REQUESTS) == 0
    assert after.value(MOODLE_REQUESTS, outcome="ok") == 1
    assert after.value(MOODLE_REQUESTS, "_sum", outcome="ok") > 0
    assert before.value(CALLS) == 0
    assert after.value(CALLS, service="moodle", function="get_moodle_course_content", outcome="completed") == 1
    assert after.value(CALLS, service="moodle", function="get_moodle_course_content", outcome="failed") == 1
    of_calls = {"group": "tool-service.moodle", "topic": "threadworks.tool-calls.moodle.v1"}
    assert before.value(CONSUMED, **of_calls) == 0
    assert after.value(CONSUMED, **of_calls, outcome="handled") == 2
    assert after.value(DEAD_LETTERS, **of_calls) == 1
    assert after.value(CONSUMER_LAG, **of_calls) == 0
    assert after.value(LOOP_LAG) > before.value(LOOP_LAG) == 0
