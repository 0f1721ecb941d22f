"""`python -m run_orchestrator`: the run-orchestrator as a process of its own, on Kafka."""

import sys

import uvloop
from service_process import ProcessSettings, load_settings, run_process

from run_orchestrator.bootstrap import build
from run_orchestrator.entrypoints.service import longest_stop
from run_orchestrator.settings import OrchestratorSettings

NAME = "run-orchestrator"


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 0, 1 when the service failed, 2 for wrong settings."""
    process, settings = load_settings(NAME, ProcessSettings, OrchestratorSettings)
    return run_process(
        NAME,
        process,
        lambda bus, meters: build(settings, bus, meters),
        drain_seconds=longest_stop(settings.drain_seconds),
        loop_factory=uvloop.new_event_loop,
    )


if __name__ == "__main__":
    sys.exit(main())
