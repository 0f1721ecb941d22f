"""What the ops port of a process says while it starts, lives and fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import structlog
from event_bus import EventBus
from event_bus.in_process import InProcessBus
from observability import Meters, Metric
from service_process import ProcessSettings, serve

WORK = Metric(name="threadworks_work_total", kind="counter", help="Work that was done.")


class ObservedService:
    """Starts and stops when it is told to."""

    def __init__(self, meters: Meters) -> None:
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.may_start, self.may_stop = asyncio.Event(), asyncio.Event()
        self.missing: str | None = "the database is not connected"
        self._work = meters.counter(WORK)

    async def start(self) -> None:
        await self.may_start.wait()
        self._work.inc()
        self.missing = None

    async def stop(self) -> None:
        await self.may_stop.wait()

    def checks(self) -> dict[str, Callable[[], str | None]]:
        return {"database": lambda: self.missing}


class DistantBus(InProcessBus):
    """A bus that is not reached at first."""

    reached = False

    def check(self) -> str | None:
        return None if self.reached else "Kafka was not reached yet"


class Process:
    """A process that is served in this one, and its ops port."""

    def __init__(self, ops: httpx.AsyncClient, bus: DistantBus, service: ObservedService) -> None:
        self.bus, self.service, self._ops = bus, service, ops

    async def until(self, path: str, status: int, told: Any) -> None:
        async with asyncio.timeout(10):
            while ((reply := await self._ops.get(path)).status_code, reply.json()) != (status, told):
                await asyncio.sleep(0.01)

    async def metrics(self) -> str:
        return (await self._ops.get("/metrics")).text


@asynccontextmanager
async def process() -> AsyncIterator[Process]:
    made: list[ObservedService] = []
    opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def build(_: EventBus, meters: Meters) -> ObservedService:
        made.append(ObservedService(meters))
        return made[0]

    def note(_: Any, __: str, event: Any) -> Any:
        if event.get("action") == "ops_started" and not opened.done():
            opened.set_result(event["ops_port"])
        raise structlog.DropEvent

    structlog.configure(processors=[note])
    bus = DistantBus()
    serving = asyncio.create_task(serve("test", ProcessSettings(kafka_bootstrap="unused:1"), bus, build))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await opened}") as ops:
            yield Process(ops, bus, made[0])
    finally:
        service = made[0]
        for gate in (service.may_start, service.may_stop):
            gate.set()
        if not service.failed.done():
            service.failed.set_result(RuntimeError("the test is over"))
        assert await asyncio.wait_for(serving, 10) == 1
        structlog.reset_defaults()


async def test_what_is_missing_at_the_start_is_named_until_it_is_there_and_never_again() -> None:
    async with process() as one:
        both = {"publishing": "Kafka was not reached yet", "database": "the database is not connected"}
        await one.until("/readyz", 503, {"missing": both})
        await one.until("/healthz", 200, {"status": "ok"})
        one.bus.reached = True
        await one.until("/readyz", 503, {"missing": {"database": "the database is not connected"}})
        one.service.may_start.set()
        await one.until("/readyz", 200, {"missing": {}})


async def test_the_metrics_of_the_service_the_bus_and_the_process_are_on_one_page() -> None:
    async with process() as one:
        assert "threadworks_work_total 0.0" in await one.metrics()
        one.service.may_start.set()
        async with asyncio.timeout(10):
            while "threadworks_work_total 1.0" not in (page := await one.metrics()):
                await asyncio.sleep(0.01)
        for name in ("threadworks_event_loop_lag_seconds", "threadworks_consumer_lag_records", "process_open_fds"):
            assert f"# TYPE {name} " in page


async def test_a_service_that_has_failed_is_not_alive_while_it_drains() -> None:
    async with process() as one:
        one.service.may_start.set()
        await one.until("/healthz", 200, {"status": "ok"})
        one.service.failed.set_result(RuntimeError("the subscription is stuck"))
        failing = {"service": "the subscription is stuck"}
        await one.until("/healthz", 503, {"status": "failing", "failing": failing})
