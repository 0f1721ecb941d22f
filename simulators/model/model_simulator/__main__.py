"""`python -m model_simulator`: the simulator as a process, until SIGTERM or SIGINT. `--help` lists the options."""

import asyncio
import signal

import uvloop
from observability import configure_logging
from pydantic_settings import CliApp

from model_simulator.settings import SimulatorSettings
from model_simulator.simulator import ModelSimulator


async def serve(settings: SimulatorSettings) -> None:
    """Run until a signal asks for the end."""
    asked_to_stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, asked_to_stop.set)
    simulator = ModelSimulator(settings)
    await simulator.start()
    await asked_to_stop.wait()
    await simulator.stop()


def main() -> None:
    """Read the settings, set up logging, serve."""
    settings = CliApp.run(SimulatorSettings)
    configure_logging("model-simulator", settings.log_format, settings.log_level)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
