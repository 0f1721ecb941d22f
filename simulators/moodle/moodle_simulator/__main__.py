"""`python -m moodle_simulator [--host 127.0.0.1] [--port 0]`: the simulator as a process of its own."""

import argparse
import asyncio
import logging
import signal

from moodle_simulator.owners import DEMO_TOKEN
from moodle_simulator.server import MoodleSimulator


async def _run(host: str, port: int) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    simulator = MoodleSimulator(host=host, port=port)
    await simulator.start()
    logging.getLogger(__name__).info("the token of the demo account is the word %s", DEMO_TOKEN)
    await stopping.wait()
    await simulator.stop()


def main() -> None:
    """Run until SIGTERM or SIGINT; exit code 0."""
    parser = argparse.ArgumentParser(prog="moodle_simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one, which is logged)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(_run(arguments.host, arguments.port))


if __name__ == "__main__":
    main()
