"""A stand-in for an OpenAI-compatible model: real HTTP, real streams, and no knowledge but the messages it receives.

The demo, the tests and the benchmarks run against it: as a process (`python -m model_simulator`), or inside another one
through `ModelSimulator`. It says everywhere what it is and never pretends to be a language model.
"""

from model_simulator.app import create_app
from model_simulator.settings import SimulatorSettings
from model_simulator.simulator import ModelSimulator

__all__ = ["ModelSimulator", "SimulatorSettings", "create_app"]
