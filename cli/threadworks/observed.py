"""What `threadworks run` is observed by: metrics, health and spans of all services in one process.

Separate processes have the same from `service_process`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog
from event_bus import EventBus
from observability import Heartbeat, Meters, OpsServer
from observability.tracing import configure_tracing
from service_process import Service
from service_process.bus_metrics import show_bus

log = structlog.get_logger(__name__)

Check = Callable[[], str | None]


class Observed:
    """`start` it before the services, `show` them when they are there, `stop` it after them."""

    def __init__(self) -> None:
        self.meters = Meters()
        """What the services count in."""
        self._heartbeat = Heartbeat(self.meters)
        self._tracing = configure_tracing("threadworks")
        self._ops: OpsServer | None = None

    def start(self) -> None:
        """Let the heart beat."""
        self._heartbeat.start()

    async def show(self, port: int | None, bus: EventBus, services: Mapping[str, Service]) -> None:
        """Show the bus and the services, also on an ops port if one is wanted (0: any free one). Raises OSError."""
        show_bus(bus, self.meters)
        if port is None:
            return
        ready = {
            f"{name}: {about}": check for name, service in services.items() for about, check in service.checks().items()
        }
        alive: dict[str, Check] = {"event_loop": self._heartbeat.check, "event_bus": bus.check_alive}
        alive["services"] = lambda: _died(list(services.values()))
        self._ops = OpsServer(port, ready, alive=alive, meters=self.meters)
        await self._ops.start()
        log.info("the ops port is open", action="ops_started", ops_port=self._ops.port)

    async def stop(self) -> None:
        """Export what is left of the spans, and close the port."""
        if self._ops is not None:
            await self._ops.stop()
        await self._heartbeat.stop()
        # It blocks, and what it sends may go to somebody who needs this event loop to answer.
        await asyncio.to_thread(self._tracing.stop)


def _died(services: Sequence[Service]) -> str | None:
    dead = [service.failed.result() for service in services if service.failed.done()]
    return "; ".join(str(cause) or type(cause).__name__ for cause in dead) or None
