"""Run by test_moodle_secrets.py as a process: everything that can happen to a call, with all logging switched on.

`python moodle_log_scenario.py service|everything` — as the service logs at debug level, or with nothing held back
(every library at debug level, no redaction). It prints the codes of the answers to stdout; logs go to stderr.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from moodle_service_bench import Bench
from moodle_simulator import MoodleSimulator
from observability import configure_logging

CONTENTS = "core_course_get_contents"
SCENES = [
    ("51589", []),
    ("99999999", []),
    ("52110", []),
    ("none", []),
    *[("51589", [f"{CONTENTS}/{case}"] * times) for case, times in [
        ("err_php_fatal_http500", 3),
        ("err_database_down", 1),
        ("err_maintenance_cli_http503", 1),
        ("err_rest_protocol_disabled_http403", 1),
        ("err_invalidtoken", 1),
        ("err_not_enrolled_debug", 1),
        ("err_unknown_course_debug", 1),
    ]],
]  # fmt: skip


@asynccontextmanager
async def moodle() -> AsyncIterator[MoodleSimulator]:
    simulator = MoodleSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


async def main() -> None:
    async with moodle() as simulator, Bench(simulator.base_url) as bench:
        for course_id, failures in SCENES:
            for failure in failures:
                simulator.script.fail_next(1, failure)
            print((await bench.call(course_id)).data.get("error", {}).get("code", "completed"))
        await simulator.stop()
        print((await bench.call("51589")).data["error"]["code"])


if __name__ == "__main__":
    if sys.argv[1] == "service":
        configure_logging("moodle-tool", "json", "debug")
    else:
        logging.basicConfig(level=logging.DEBUG)
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main())
