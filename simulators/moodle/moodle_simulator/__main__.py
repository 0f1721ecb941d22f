"""`python -m moodle_simulator [--host 127.0.0.1] [--port 0]`: the simulator as a process of its own."""

import argparse
import asyncio
import signal

import uvloop
from observability import configure_logging

from moodle_simulator.owners import DEMO_TOKEN
from moodle_simulator.server import MoodleSimulator


async def serve(host: str, port: int) -> None:
    """Run until a signal asks for the end."""
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    simulator = MoodleSimulator(host=host, port=port)
    await simulator.start()
    await asked_to_stop.wait()
    await simulator.stop()


def main() -> None:
    """Read the options, set up logging, serve; exit code 0."""
    parser = argparse.ArgumentParser(
        prog="moodle_simulator",
        description="Replays recorded replies of a Moodle. It is not a Moodle.",
        epilog=f"The token of the demo account is the word {DEMO_TOKEN}.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one, which is logged)")
    parser.add_argument("--log-format", choices=["auto", "json", "console"], default="auto")
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info")
    options = parser.parse_args()
    configure_logging("moodle-simulator", options.log_format, options.log_level)
    uvloop.run(serve(options.host, options.port))


if __name__ == "__main__":
    main()
