"""A stage for the orchestrator: a real PostgreSQL, the in-process bus, the model simulator over real HTTP.

The gateway's part is played by the run engine itself, the tool service's by `ToolServiceDouble`.
"""

import asyncio
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import orjson
import pytest
import pytest_asyncio
from event_bus import EventBus, Message, OutgoingRecord
from event_bus.in_process import InProcessBus
from message_contracts import catalogue, codec
from model_simulator import ModelSimulator, SimulatorSettings
from observability import Meters
from run_engine.domain import ids
from run_engine.domain.drafts import NewAssistant, NewMessage, NewRun, NewThread, PageRequest
from run_engine.domain.objects import Message as EngineMessage
from run_engine.domain.objects import Role, Run, RunStep, Thread, ToolCall
from run_engine.domain.status import MessageStatus, RunStatus, StepStatus
from run_engine.process import EngineProcess
from run_engine.store.assistants import Assistants
from run_engine.store.database import Database
from run_engine.store.messages import Messages
from run_engine.store.migrate import migrate
from run_engine.store.runs import Runs
from run_engine.store.tenants import Tenants
from run_engine.store.threads import Threads
from run_engine.store.writer import Writer
from run_orchestrator.bootstrap import build
from run_orchestrator.entrypoints.service import Service
from run_orchestrator.settings import OrchestratorSettings

TENANT = "tenant"
KEY = "sk-the-key-of-the-model-server"
PATIENCE = 30.0
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def new_id(kind: str) -> str:
    return ids.render(kind, uuid4())


def function_tool(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"courseid": {"type": "string"}}, "required": ["courseid"]}
    return {
        "type": "function",
        "function": {"name": name, "description": "x", "parameters": parameters, "strict": False},
    }


def text_parts(value: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": {"value": value, "annotations": []}}]


def user_message(text: str) -> NewMessage:
    return NewMessage(id=new_id("message"), role="user", content=text_parts(text))


class ModelControl:
    """The simulator's control paths, and its address."""

    def __init__(self, simulator: ModelSimulator, http: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.base_url = simulator.base_url
        self._http = http
        self._root = f"{simulator.root_url}/control"

    async def script(self, *replies: dict[str, Any]) -> None:
        async with self._http.post(f"{self._root}/script", json={"replies": list(replies)}) as reply:
            assert reply.status == 200, await reply.text()

    async def release(self, gate: str) -> None:
        async with self._http.post(f"{self._root}/release/{gate}") as reply:
            assert reply.status == 200

    async def wait(self, **what: Any) -> dict[str, Any]:
        query = {name: str(value).lower() for name, value in what.items()}
        async with self._http.get(f"{self._root}/wait", params=query) as reply:
            seen: dict[str, Any] = await reply.json()
            assert reply.status == 200, f"{what} did not come: {seen['states']} {seen['gates']}"
            return seen

    async def requests(self) -> list[dict[str, Any]]:
        async with self._http.get(f"{self._root}/requests") as reply:
            return list((await reply.json())["requests"])

    async def bodies(self) -> list[dict[str, Any]]:
        return [request["body"] for request in await self.requests()]


class Stage:
    """Everything around an orchestrator, and what the tests do to it."""

    def __init__(self, url: str, bus: EventBus, model: ModelControl, data_dir: Path) -> None:
        self.url = url
        self.data_dir = data_dir
        self.bus = bus
        self.model = model
        self.meters = Meters()
        self.services: list[Service] = []
        self.events: dict[str, list[Message]] = defaultdict(list)
        self.calls: list[dict[str, Any]] = []
        self._changed = asyncio.Condition()

    async def start(self) -> None:
        self.database = await Database.connect(self.url, application_name="stage", max_size=6)
        self.engine = EngineProcess(self.database, self.bus.publisher, role="gateway")
        await self.engine.start()
        writer = self.engine.writer
        self.runs, self.threads = Runs(self.database, writer), Threads(self.database, writer)
        self.messages, self.tenants = Messages(self.database, writer), Tenants(self.database)
        self.assistants = Assistants(self.database)
        await self.tenants.ensure(TENANT, "a tenant", ["moodle"])
        types = [type_ for topic in catalogue.topics() for type_ in topic.message_types if "run-events" in topic.name]
        await self.bus.subscribe(
            group="stage",
            topics=["threadworks.run-events.v1"],
            handlers=dict.fromkeys(types, self._note_event),
            service="stage",
        )
        await self.bus.subscribe(
            group="moodle",
            topics=[catalogue.tool_calls_topic("moodle").name],
            handlers={"threadworks.tool-call.requested.v1": self._note_call},
            service="stage",
        )

    async def stop(self) -> None:
        for service in self.services:
            await service.stop()
        await self.bus.stop()
        await self.engine.stop()

    # -- orchestrators

    def settings(self, **changes: Any) -> OrchestratorSettings:
        fields: dict[str, Any] = {
            "database_url": self.url,
            "openai_base_url": self.model.base_url,
            "openai_api_key": KEY,
            "tool_services": "",
            "drain_seconds": 5.0,
            "database_connections": 5,
            "data_dir": self.data_dir,
        }
        return OrchestratorSettings(**{**fields, **changes})

    async def orchestrator(self, **changes: Any) -> Service:
        service = build(self.settings(**changes), self.bus, self.meters)
        self.services.append(service)
        await service.start()
        return service

    # -- the gateway's part

    async def start_run(self, question: str = "was ist java in 3 worten", **fields: Any) -> Run:
        """A run on a new thread: its `message.created` wakes an orchestrator."""
        assistant_id = await self.new_assistant(
            model=fields.pop("model", "demo"), functions=fields.pop("functions", ())
        )
        thread = NewThread(id=new_id("thread"), messages=(user_message(question),))
        return await self.runs.start_on_new_thread(TENANT, thread, self.new_run(assistant_id, **fields))

    async def new_assistant(self, model: str = "demo", functions: Sequence[str] = ()) -> str:
        assistant = NewAssistant(
            id=new_id("assistant"),
            model=model,
            instructions="Be brief.",
            tools=[*(function_tool(name) for name in functions), {"type": "file_search"}],
        )
        await self.assistants.create(TENANT, assistant)
        return assistant.id

    async def new_thread(self, *texts: str) -> Thread:
        messages = [user_message(text) for text in texts]
        return await self.threads.create(TENANT, NewThread(id=new_id("thread"), messages=messages))

    @staticmethod
    def new_run(assistant_id: str, **fields: Any) -> NewRun:
        return NewRun(id=new_id("run"), assistant_id=assistant_id, **fields)

    async def start_run_silently(self) -> Run:
        """A run whose wake-up is lost: written as by a process that died before it published."""
        writer = Writer("lost", lambda _: None)
        thread = NewThread(id=new_id("thread"), messages=(user_message("hello"),))
        draft = self.new_run(await self.new_assistant())
        return await Runs(self.database, writer).start_on_new_thread(TENANT, thread, draft)

    async def start_claimed_run(self, worker: str) -> Run:
        """A run that the database gives to `worker`, which has not heard of it."""
        run = await self.start_run_silently()
        await self.sql("UPDATE runs SET status = 'in_progress', worker = $1, attempt = 1 WHERE id = $2", worker, run.id)
        return run

    async def break_connections(self) -> None:
        """Cuts all connections of the orchestrators, as a restart of the database does."""
        await self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'run-orchestrator'"
        )

    @staticmethod
    def page() -> PageRequest:
        return PageRequest(limit=100)

    async def read(self, run: Run) -> Run:
        return await self.runs.get(TENANT, run.thread_id, run.id)

    async def texts(self, run: Run) -> list[str]:
        """The texts that the run has written."""
        found = await self.sql(
            "SELECT content FROM messages WHERE thread_id = $1 AND role = 'assistant' ORDER BY position", run.thread_id
        )
        contents = [orjson.loads(row["content"]) for row in found]
        return ["".join(part["text"]["value"] for part in content if "text" in part) for content in contents]

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    # -- the tool service's part

    async def announce(self, service: str = "moodle", timeout: float = 30.0, *functions: str) -> None:
        announced = [
            {"name": name, "description": "x", "parameters": {"type": "object"}, "timeout_seconds": timeout}
            for name in functions or ("get_moodle_course_content",)
        ]
        data = {"service": {"name": service, "functions": announced, "public_key": None}}
        await self.publish("threadworks.tool-service.announced.v1", service, data, tenant=None)

    async def answer(self, call: dict[str, Any], output: str) -> None:
        reference = {name: call[name] for name in ("id", "run_id", "thread_id", "service")}
        await self.publish("threadworks.tool-call.completed.v1", call["id"], {"tool_call": reference, "output": output})

    async def refuse(self, call: dict[str, Any], code: str, message: str) -> None:
        reference = {name: call[name] for name in ("id", "run_id", "thread_id", "service")}
        error = {"code": code, "message": message}
        await self.publish("threadworks.tool-call.failed.v1", call["id"], {"tool_call": reference, "error": error})

    async def publish(self, type_: str, subject: str, data: dict[str, Any], tenant: str | None = TENANT) -> None:
        message = Message(
            type=type_,
            source="/test",
            subject=subject,
            tenant=tenant,
            data=data,
            id=str(uuid4()),
            time=datetime.now(UTC),
        )
        encoded = codec.encode(message)
        record = OutgoingRecord(
            topic=catalogue.topic_of(type_), key=subject.encode(), value=encoded.value, headers=encoded.headers
        )
        assert await self.bus.publisher.publish([record]) == [None]

    # -- what happens

    async def until(self, holds: Callable[[], Any], patience: float = PATIENCE) -> None:
        """Returns as soon as `holds()` after an event; what it waits for must be seen in events."""
        async with asyncio.timeout(patience), self._changed:
            await self._changed.wait_for(lambda: bool(holds()))

    async def until_status(self, run: Run, *statuses: str) -> Run:
        await self.until(lambda: set(self.statuses(run)) & set(statuses))
        return await self.read(run)

    def statuses(self, run: Run) -> list[str]:
        """The statuses that the run's events told of, in order, without repeats."""
        seen: dict[int, str] = {}
        for event in self.events[run.id]:
            if event.type.startswith("threadworks.run."):
                seen.setdefault(event.seq or 0, event.data["run"]["status"])
        return [status for _, status in sorted(seen.items())]

    async def calls_of(self, run: Run, number: int) -> list[dict[str, Any]]:
        """The tool calls that services were asked for, once there are so many; repeats are counted too."""
        await self.until(lambda: len([call for call in self.calls if call["run_id"] == run.id]) >= number)
        return [call for call in self.calls if call["run_id"] == run.id]

    async def _note_event(self, message: Message) -> None:
        run_id = message.correlation_id or message.subject
        async with self._changed:
            self.events[run_id].append(message)
            self._changed.notify_all()

    async def _note_call(self, message: Message) -> None:
        async with self._changed:
            self.calls.append(message.data["tool_call"])
            self._changed.notify_all()


@pytest_asyncio.fixture(scope="session")
async def migrated_database(fresh_database: Callable[..., Awaitable[str]]) -> str:
    """The name of a migrated database to copy: each test has one of its own, because sweepers sweep all of it."""
    url = await fresh_database()
    await migrate(url)
    connection = await asyncpg.connect(url)
    name: str = await connection.fetchval("SELECT current_database()")
    await connection.close()
    return name


@pytest_asyncio.fixture
async def model() -> AsyncIterator[ModelControl]:
    simulator = ModelSimulator(SimulatorSettings())
    await simulator.start()
    async with aiohttp.ClientSession() as http:
        yield ModelControl(simulator, http)
    await simulator.stop()


@pytest_asyncio.fixture
async def stage_on(
    model: ModelControl, tmp_path: Path
) -> Callable[[str, EventBus], AbstractAsyncContextManager[Stage]]:
    """`async with stage_on(url, bus)`: a stage on a migrated database and a started bus, both of which it ends with."""

    @asynccontextmanager
    async def on(url: str, bus: EventBus) -> AsyncIterator[Stage]:
        stage = Stage(url, bus, model, tmp_path)
        await stage.start()
        try:
            yield stage
        finally:
            await stage.stop()

    return on


@pytest_asyncio.fixture
async def stage(
    fresh_database: Callable[..., Awaitable[str]],
    migrated_database: str,
    stage_on: Callable[[str, EventBus], AbstractAsyncContextManager[Stage]],
) -> AsyncIterator[Stage]:
    url = await fresh_database(template=migrated_database)
    bus = InProcessBus()
    await bus.start()
    async with stage_on(url, bus) as stage:
        yield stage


@pytest.fixture
def key() -> str:
    """The API key of the model server, which nobody may ever read anywhere."""
    return KEY


@pytest.fixture
def unused_address() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/v1"


@pytest.fixture(scope="session")
def a_run() -> Callable[..., Run]:
    """Builds a claimed run; fields by keyword."""
    plain: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__)
    plain |= {
        "tenant_id": "t",
        "id": "run_1",
        "thread_id": "thread_1",
        "assistant_id": "asst_1",
        "created_at": NOW,
        "status": RunStatus.IN_PROGRESS,
        "attempt": 1,
        "seq": 2,
        "model": "m",
        "instructions": "Be brief.",
        "tools": [],
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "response_format": "auto",
        "required_calls": (),
        "stream_slots": frozenset(),
    }
    return lambda **fields: Run(**{**plain, **fields})


@pytest.fixture(scope="session")
def a_message() -> Callable[..., EngineMessage]:
    """Builds a message of the given parts; a string is a text part."""

    def build_message(
        *content: Any, role: Role = "user", status: MessageStatus = MessageStatus.COMPLETED
    ) -> EngineMessage:
        return EngineMessage(
            id="msg_1",
            thread_id="thread_1",
            created_at=NOW,
            status=status,
            incomplete_details=None,
            completed_at=NOW,
            incomplete_at=None,
            role=role,
            content=[text_parts(part)[0] if isinstance(part, str) else part for part in content or ("hello",)],
            assistant_id=None,
            run_id=None,
            attachments=[],
            metadata={},
        )

    return build_message


@pytest.fixture(scope="session")
def a_call() -> Callable[..., ToolCall]:
    """Builds an answered call of the function `f`."""

    def build_call(call_id: str, output: str | None = "out") -> ToolCall:
        return ToolCall(id=call_id, name="f", arguments='{"x": 1}', service=None, output=output)

    return build_call


@pytest.fixture(scope="session")
def a_step() -> Callable[..., RunStep]:
    """Builds a completed step of these calls, or of the message `message_id`; more fields by keyword."""

    def build_step(*calls: ToolCall, message_id: str | None = None, **fields: Any) -> RunStep:
        plain: dict[str, Any] = dict.fromkeys(RunStep.__dataclass_fields__)
        plain |= {
            "id": "step_1",
            "run_id": "run_1",
            "thread_id": "thread_1",
            "assistant_id": "asst_1",
            "created_at": NOW,
            "type": "tool_calls" if message_id is None else "message_creation",
            "status": StepStatus.COMPLETED,
            "message_id": message_id,
            "tool_calls": calls,
            "completed_at": NOW,
            "metadata": {},
            "other_calls": (),
        }
        return RunStep(**{**plain, **fields})

    return build_step
