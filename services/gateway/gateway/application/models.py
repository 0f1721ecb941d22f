"""Which models there are: those that the model's server lists, and `demo`. Used by dialects that list models.

The list is kept for a while: apps ask for it at every start, and it hardly ever changes. When the server is away, what
is known stays; when nothing is known yet, that is said, because a list without the models of an app would look like the
truth.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from run_engine.errors import NotFound

from gateway.application.ports import ModelServer, ModelServerAway, ServedModel

log = structlog.get_logger(__name__)

KNOWN_FOR: Final = 60.0
"""Seconds that a list is taken as it is."""
ASK_AGAIN_AFTER: Final = 5.0
"""Seconds after which the server is asked again for a model that it did not list, or that it did not answer for."""
DEMO: Final = ServedModel(id="demo", created=1_795_478_400, owned_by="threadworks")
"""The name that the demo assistant uses: whatever the orchestrator's settings say it stands for."""


@dataclass(frozen=True, slots=True)
class _Known:
    models: Mapping[str, ServedModel]
    at: float


class Models:
    """The models that assistants and runs may name; without a server `demo` alone. `clock` is monotonic, in seconds."""

    def __init__(self, server: ModelServer | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._clock = clock
        self._known: _Known | None = None
        self._away_at: float | None = None
        self._asking = asyncio.Lock()

    async def all(self) -> list[ServedModel]:
        """Every model, `demo` first. Raises `ModelServerAway` when the server never answered."""
        return list((await self._models(KNOWN_FOR)).values())

    async def get(self, model_id: str) -> ServedModel:
        """One model. Raises `NotFound`, and `ModelServerAway` when the server never answered."""
        if model_id == DEMO.id:
            return DEMO
        found = (await self._models(KNOWN_FOR)).get(model_id) or (await self._models(ASK_AGAIN_AFTER)).get(model_id)
        if found is None:
            raise NotFound("model", model_id)
        return found

    async def _models(self, oldest: float) -> Mapping[str, ServedModel]:
        """What is known, asked anew where it is older than `oldest` seconds."""
        server = self._server
        if server is None:
            return {DEMO.id: DEMO}
        if not self._is_newer_than(oldest):
            # Whoever comes while the server is being asked waits for that answer.
            async with self._asking:
                if not self._is_newer_than(oldest) and not self._was_just_away():
                    await self._ask(server)
        if self._known is None:
            raise ModelServerAway
        return self._known.models

    async def _ask(self, server: ModelServer) -> None:
        try:
            listed = await server.models()
        except ModelServerAway as away:
            self._away_at = self._clock()
            log.warning("the model's server does not list its models", action="models_unknown", reason=str(away))
            return
        self._away_at = None
        self._known = _Known({DEMO.id: DEMO} | {each.id: each for each in listed if each.id != DEMO.id}, self._clock())

    def _is_newer_than(self, oldest: float) -> bool:
        return self._known is not None and self._clock() - self._known.at < oldest

    def _was_just_away(self) -> bool:
        return self._away_at is not None and self._clock() - self._away_at < ASK_AGAIN_AFTER
