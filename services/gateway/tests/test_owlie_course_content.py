"""Courses read outside of any run: over the bus, from a real tool service, and whatever may come of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from event_bus import Message
from event_bus.in_process import InProcessBus
from gateway.adapters.tool_bus import ToolServicesOnBus
from gateway.application import tool_calls
from gateway.application.course_catalogue import CourseCatalogue
from message_contracts import catalogue
from run_engine.store.tenants import Tenants
from tool_service import ToolError, ToolService, ToolServiceRunner

PATH = "/api/tools/get_moodle_course_content"
COURSE = {"course_id": "51589", "modes": {"general": {"model": "demo"}}}
NOT_IN_MOODLE = {"universities": {"u": {"d": {"s": {"c": {**COURSE, "course_id": "1"}}}}}}
COURSES = CourseCatalogue.model_validate({"universities": {"u": {"d": {"s": {"c": COURSE}}}}})
Serve = Callable[[str], Any]


def moodle(name: str = "moodle") -> ToolService:
    service = ToolService(name=name)

    @service.function(timeout=10)
    async def get_moodle_course_content(courseid: str) -> str:
        """Fetches Moodle course content based on course ID."""
        if courseid == "51589":
            return "25.10."
        raise ToolError("course_not_found", "There is no such course in Moodle.")

    return service


@pytest_asyncio.fixture
async def own_bus() -> AsyncIterator[InProcessBus]:
    """A bus of its own, so that nothing is announced on it but what a test announces."""
    bus = InProcessBus()
    await bus.start()
    yield bus
    await bus.stop()


@pytest_asyncio.fixture
async def serve(own_bus: InProcessBus) -> AsyncIterator[Serve]:
    running: list[ToolServiceRunner] = []

    async def start(name: str = "moodle") -> ToolServiceRunner:
        service = moodle(name)
        runner = ToolServiceRunner(service.name, service.functions, own_bus)
        await runner.start()
        running.append(runner)
        return runner

    yield start
    for runner in running:
        await runner.stop()


@pytest.fixture
def calls(own_bus: InProcessBus, engine: Any) -> tool_calls.ToolCalls:
    services = ToolServicesOnBus(own_bus, clock=lambda: datetime.now(UTC))
    return tool_calls.ToolCalls(services, Tenants(engine.database), {"moodle", "other"})


async def call(calls: tool_calls.ToolCalls, tenant: str, course_id: str = "51589") -> str:
    return await calls.call(tenant, "get_moodle_course_content", f'{{"courseid":"{course_id}"}}')


async def test_a_service_answers(calls: tool_calls.ToolCalls, caller: Any, serve: Serve) -> None:
    await serve("moodle")
    assert await asyncio.gather(*(call(calls, caller.tenant) for _ in range(20))) == ["25.10."] * 20
    with pytest.raises(tool_calls.ToolCallFailed, match="no such course in Moodle") as failed:
        await call(calls, caller.tenant, "1")
    assert failed.value.code == "course_not_found"


async def test_the_call_is_an_event_like_those_of_runs(
    calls: tool_calls.ToolCalls, caller: Any, serve: Serve, own_bus: InProcessBus
) -> None:
    heard: list[Message] = []

    async def hear(message: Message) -> None:
        heard.append(message)

    topic, type_ = catalogue.tool_calls_topic("moodle").name, "threadworks.tool-call.requested.v1"
    watching = await own_bus.subscribe(group="watching", topics=[topic], handlers={type_: hear}, service="watching")
    await serve("moodle")
    await call(calls, caller.tenant)
    async with asyncio.timeout(5):
        while not heard:
            await asyncio.sleep(0.01)
    await watching.stop()
    (message,) = heard
    asked = message.data["tool_call"]
    assert (message.source, message.tenant, message.subject) == ("/threadworks/gateway", caller.tenant, asked["id"])
    assert (asked["name"], asked["arguments"]) == ("get_moodle_course_content", '{"courseid":"51589"}')
    assert asked["deadline"] > asked["created_at"]
    assert await caller.count("tool_calls") == await caller.count("runs") == 0


async def test_only_services_that_are_pinned_and_allowed_are_asked(
    calls: tool_calls.ToolCalls, caller: Any, serve: Serve
) -> None:
    with pytest.raises(tool_calls.NoToolService):
        await call(calls, caller.tenant)
    await serve("stranger")
    with pytest.raises(tool_calls.NoToolService):
        await call(calls, caller.tenant)
    await serve("moodle")
    with pytest.raises(tool_calls.NoToolService):
        await call(calls, "tenant-of-nobody")
    async with asyncio.timeout(5):
        while True:
            try:
                assert await call(calls, caller.tenant) == "25.10."
                break
            except tool_calls.NoToolService:
                await asyncio.sleep(0.01)
    await serve("other")
    async with asyncio.timeout(5):
        while True:
            try:
                await call(calls, caller.tenant)
            except tool_calls.NoToolService:
                break


async def test_nobody_answers(
    caller: Any, serve: Serve, own_bus: InProcessBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = await serve("moodle")
    services = ToolServicesOnBus(own_bus, clock=lambda: datetime.now(UTC))
    await services.announced("get_moodle_course_content")
    await runner.stop()
    monkeypatch.setattr(tool_calls, "MOST_SECONDS", 0.1)
    calls = tool_calls.ToolCalls(services, Tenants(caller.database), {"moodle"})
    with pytest.raises(tool_calls.ToolServicesAway):
        await call(calls, caller.tenant)


async def test_over_http(new_owlie: Any, bus: InProcessBus) -> None:
    owlie = new_owlie(owlie_catalogue=COURSES)
    assert "No service" in await owlie.refused("POST", PATH, 503, json={"courseid": "51589"})
    assert await owlie.refused("POST", PATH, 404, json={"courseid": "50726"}) == "There is no such course."
    for wrong in ({}, {"courseid": "x"}, {"courseid": "1; DROP"}, {"courseid": None}):
        await owlie.refused("POST", PATH, 422, json=wrong)
    service = moodle()
    runner = ToolServiceRunner(service.name, service.functions, bus)
    await runner.start()
    try:
        async with asyncio.timeout(5):
            while (answered := await owlie.http.post(PATH, json={"courseid": "51589"})).status_code == 503:
                await asyncio.sleep(0.01)
        assert answered.json() == {"status": "success", "content": "25.10."}
        keyed = await owlie.http.post(PATH, json={"courseid": 51589}, headers={"idempotency-key": "a click"})
        assert keyed.json() == {"status": "success", "content": "25.10."}
        failing = new_owlie(owlie_catalogue=CourseCatalogue.model_validate(NOT_IN_MOODLE))
        async with asyncio.timeout(5):
            while (refused := await failing.http.post(PATH, json={"courseid": "1"})).status_code == 503:
                await asyncio.sleep(0.01)
        assert refused.status_code == 502
        assert refused.json() == {"detail": "The course could not be read: There is no such course in Moodle."}
    finally:
        await runner.stop()


async def test_who_goes_leaves_the_place_to_others(new_owlie: Any, bus: InProcessBus) -> None:
    asked = asyncio.Semaphore(0)
    service, answering = ToolService(name="moodle"), asyncio.Event()

    @service.function(timeout=30)
    async def get_moodle_course_content(courseid: str) -> str:
        """Fetches Moodle course content based on course ID."""
        asked.release()
        await answering.wait()
        return "25.10."

    owlie = new_owlie(owlie_catalogue=COURSES)
    body = {"type": "http.request", "body": b'{"courseid": "51589"}', "more_body": False}
    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [],
    }

    async def nobody_listens(_message: Any) -> None: ...

    runner = ToolServiceRunner(service.name, service.functions, bus)
    await runner.start()
    try:
        messages: list[asyncio.Queue[Any]] = []
        for _ in range(tool_calls.MOST_AT_ONCE):
            messages.append(asyncio.Queue())
            messages[-1].put_nowait(body)
        leaving = [asyncio.create_task(owlie.app(scope, each.get, nobody_listens)) for each in messages]
        async with asyncio.timeout(10):
            for _ in leaving:
                await asked.acquire()
        for each in messages:
            each.put_nowait({"type": "http.disconnect"})
        async with asyncio.timeout(10):
            await asyncio.gather(*leaving)
            patient = asyncio.create_task(owlie.http.post(PATH, json={"courseid": "51589"}))
            await asked.acquire()
            answering.set()
            assert (await patient).json() == {"status": "success", "content": "25.10."}
    finally:
        answering.set()
        await runner.stop()
