"""`python -m moodle_tool`: moodle-tool as a process of its own, on Kafka."""

import sys

import uvloop
from service_process import load_settings, run_process
from tool_service.process import ToolProcessSettings

from moodle_tool.bootstrap import build
from moodle_tool.settings import MoodleToolSettings


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    process, settings = load_settings("moodle-tool", ToolProcessSettings, MoodleToolSettings)
    return run_process(
        "moodle-tool",
        process,
        lambda bus, meters: build(
            settings,
            bus,
            meters,
            concurrency=process.tool_concurrency,
            sealing_keys=process.tool_sealing_keys,
        ),
        loop_factory=uvloop.new_event_loop,
    )


if __name__ == "__main__":
    sys.exit(main())
