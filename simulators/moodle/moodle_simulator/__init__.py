"""A stand-in for a Moodle web service: replays recorded replies over HTTP.

The demo (`threadworks run`, `threadworks up`), the tests of moodle-tool and the benchmarks use it in place of a Moodle.
It is no Moodle: every answer is the recorded answer of a real one, and what was never recorded is refused with 501.
"""

from moodle_simulator.app import create_app
from moodle_simulator.owners import DEMO_TOKEN, token_of
from moodle_simulator.recordings import Recording, Recordings
from moodle_simulator.script import Script
from moodle_simulator.server import MoodleSimulator

__all__ = [
    "DEMO_TOKEN",
    "MoodleSimulator",
    "Recording",
    "Recordings",
    "Script",
    "create_app",
    "token_of",
]
