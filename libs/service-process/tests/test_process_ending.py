"""How a process ends whose service fails, in its start and in its stop."""

import asyncio
from collections.abc import Callable

import structlog
from event_bus import EventBus
from event_bus.in_process import InProcessBus
from observability import Meters
from service_process import ProcessSettings, serve


class BrokenService:
    """Neither starts nor stops."""

    def __init__(self) -> None:
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        raise RuntimeError("no start")

    async def stop(self) -> None:
        raise RuntimeError("no stop")

    def checks(self) -> dict[str, Callable[[], str | None]]:
        return {}


class WatchedBus(InProcessBus):
    """Remembers that it was stopped."""

    stopped = False

    async def stop(self) -> None:
        self.stopped = True
        await super().stop()


async def test_a_service_that_cannot_stop_keeps_the_bus_and_the_ops_port_from_nothing() -> None:
    def build(_: EventBus, __: Meters) -> BrokenService:
        return BrokenService()

    bus = WatchedBus()
    with structlog.testing.capture_logs() as logs:
        code = await serve("test", ProcessSettings(kafka_bootstrap="unused:1"), bus, build)
    assert code == 1
    assert bus.stopped
    (port,) = [entry["ops_port"] for entry in logs if entry.get("action") == "ops_started"]
    try:
        await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        pass
    else:
        raise AssertionError("the ops port is still open")
    assert [entry["part"] for entry in logs if entry.get("action") == "stop_failed"] == ["service"]


async def test_a_service_that_cannot_be_built_is_said_in_one_line() -> None:
    def build(_: EventBus, __: Meters) -> BrokenService:
        raise OSError("no folder: set THREADWORKS_DATA_DIR")

    with structlog.testing.capture_logs() as logs:
        code = await serve("test", ProcessSettings(kafka_bootstrap="unused:1"), WatchedBus(), build)
    assert code == 1
    assert [(entry["action"], entry["reason"]) for entry in logs] == [("failed", "no folder: set THREADWORKS_DATA_DIR")]
