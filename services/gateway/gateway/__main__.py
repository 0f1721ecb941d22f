"""`python -m gateway`: the gateway as a process of its own, on Kafka."""

import sys

import uvloop
from service_process import ProcessSettings, load_settings, run_process

from gateway.bootstrap import build
from gateway.entrypoints.service import DRAIN_SECONDS
from gateway.settings import GatewaySettings


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    process, settings = load_settings("gateway", ProcessSettings, GatewaySettings)
    return run_process(
        "gateway",
        process,
        lambda bus, meters: build(settings, bus, meters),
        drain_seconds=DRAIN_SECONDS,
        loop_factory=uvloop.new_event_loop,
    )


if __name__ == "__main__":
    sys.exit(main())
