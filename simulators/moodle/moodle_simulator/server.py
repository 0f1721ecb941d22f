"""Runs the simulator inside a process: the demo, the tests and `python -m moodle_simulator` use this one class."""

import structlog
from observability import EmbeddedServer

from moodle_simulator.app import create_app
from moodle_simulator.recordings import Recordings
from moodle_simulator.script import Script

log = structlog.get_logger(__name__)


class MoodleSimulator:
    """A Moodle simulator on a port of its own.

    `port` 0 takes a free one. `base_url` is known after `start`; `script` is the simulator's `Script`.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, recordings: Recordings | None = None) -> None:
        self._host = host
        app = create_app(recordings)
        self.script: Script = app.state.script
        self._server = EmbeddedServer(app, host=host, port=port, drain_seconds=2)

    @property
    def base_url(self) -> str:
        """The address to use as THREADWORKS_MOODLE_BASE_URL, without a slash at its end."""
        return f"http://{self._host}:{self._server.port}"

    async def start(self) -> None:
        """Listen. Returns once requests are answered; raises OSError if the port is taken."""
        await self._server.start()
        log.info(
            f"Moodle SIMULATOR at {self.base_url}: it replays recorded replies and is not a Moodle",
            action="simulator_started",
            base_url=self.base_url,
        )

    async def stop(self) -> None:
        """Answer what is waiting and stop. Idempotent."""
        await self.script.release()
        await self._server.stop()
