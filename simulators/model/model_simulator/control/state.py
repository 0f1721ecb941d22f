"""Everything that the control paths see and change, in one place; the completions ask it how to answer."""

from model_simulator.control.changes import Changes
from model_simulator.control.gates import Gates
from model_simulator.control.request_log import RequestLog
from model_simulator.control.script import ScriptQueue
from model_simulator.reply.exchange import Waiting
from model_simulator.reply.plan import Pace
from model_simulator.settings import SimulatorSettings


class ControlState:
    """The state of one simulator."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self._initial_pace = Pace(settings.tokens_per_second, settings.first_token_seconds)
        self.pace = self._initial_pace
        self.changes = Changes()
        self.gates = Gates(self.changes)
        self.log = RequestLog(settings.requests_kept, self.changes)
        self.script = ScriptQueue()
        self.waiting = Waiting()

    def reset(self) -> None:
        """Go back to the beginning: no script, closed gates, an empty log, the pace of the settings."""
        self.script.clear()
        self.gates.reset()
        self.log.reset()
        self.pace = self._initial_pace
        self.changes.notify()
