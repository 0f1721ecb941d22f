"""One request to the model, measured: how long until its reply began, how long in all, and how it ended."""

import time
from collections.abc import Callable
from types import TracebackType

from run_orchestrator.adapters.metrics import OrchestratorMeter
from run_orchestrator.application.failures import ModelFailure


class Asking:
    """`with Asking(meter) as asking:` around the request. Costs a reply two looks at a clock, however long it is."""

    def __init__(self, meter: OrchestratorMeter, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._clock = clock
        self._began = clock()
        self.waits = True
        """Whether nothing of the reply has come."""

    def begins(self) -> None:
        """The first of the reply is there."""
        self.waits = False
        self._meter.first_token(self._clock() - self._began)

    def __enter__(self) -> "Asking":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        outcome = "answered" if kind is None else "interrupted"
        if isinstance(error, ModelFailure):
            outcome = error.kind.value
        self._meter.model_done(self._clock() - self._began, outcome)
