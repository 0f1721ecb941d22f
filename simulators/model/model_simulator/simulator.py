"""The simulator as an object, for processes that run it beside other things: `threadworks run`, tests, benchmarks."""

import structlog
from observability import EmbeddedServer

from model_simulator.app import WHAT_IT_IS, create_app
from model_simulator.closable_http import ClosableHttp
from model_simulator.control.state import ControlState
from model_simulator.settings import SimulatorSettings

log = structlog.get_logger(__name__)


class ModelSimulator:
    """A running model simulator between `start()` and `stop()`; give `base_url` to an OpenAI client, with any key."""

    def __init__(self, settings: SimulatorSettings | None = None) -> None:
        self._settings = settings or SimulatorSettings()
        self._state = ControlState(self._settings)
        self._server = EmbeddedServer(
            create_app(self._settings, self._state),
            host=self._settings.host,
            port=self._settings.port,
            drain_seconds=2,
            server_header=WHAT_IT_IS,
            protocol=ClosableHttp,
        )

    @property
    def port(self) -> int:
        """The port; after `start()` the real one."""
        return self._server.port

    @property
    def root_url(self) -> str:
        """The address of `/` and, with `/control/…` behind it, of the control paths; no slash at the end."""
        host = self._settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL; ends in /v1."""
        return f"{self.root_url}/v1"

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be bound."""
        self._state.waiting.stopping = False
        await self._server.start()
        log.info(
            "This is a simulator and not a language model: it answers by rules, from the messages it receives",
            action="model_simulator_started",
            base_url=self.base_url,
            model=self._settings.model,
        )

    async def stop(self) -> None:
        """Break off the replies that are held up, finish the others, close the port. Safe to call twice."""
        self._state.waiting.stop()
        await self._server.stop()
