"""What the tests of the store are told in: a tenant with an assistant, workers, and what they do."""

import itertools
from uuid import uuid4

import asyncpg
from message_contracts import codec
from run_engine.domain import ids
from run_engine.domain.drafts import NewAssistant, NewMessage, NewRun, NewThread, NewToolCall
from run_engine.domain.objects import Run, Usage
from run_engine.events import address
from run_engine.outbox.rows import OutboxTable
from run_engine.store.aliases import Aliases
from run_engine.store.answers import Answers
from run_engine.store.assistants import Assistants
from run_engine.store.conversations import Conversations
from run_engine.store.database import Database
from run_engine.store.driving import Answer, Driving
from run_engine.store.liveness import Liveness
from run_engine.store.messages import Messages
from run_engine.store.runs import Runs
from run_engine.store.sweeps import Sweeps
from run_engine.store.tenants import Tenants
from run_engine.store.threads import Threads
from run_engine.store.tools import Tools
from run_engine.store.users import Users
from run_engine.store.writer import Writer

_numbers = itertools.count()


def new_id(kind: str) -> str:
    return ids.render(kind, uuid4())


def text(value: str) -> list[dict[str, object]]:
    return [{"type": "text", "text": {"value": value, "annotations": []}}]


def user(value: str = "hello") -> NewMessage:
    return NewMessage(id=new_id("message"), role="user", content=text(value))


def answer(value: str = "an answer") -> Answer:
    return Answer(
        step_id=new_id("step"),
        message_id=new_id("message"),
        content=text(value),
        usage=Usage(prompt_tokens=10, completion_tokens=4),
    )


def call(service: str | None = None, timeout: float = 30.0) -> NewToolCall:
    return NewToolCall(id=new_id("tool_call"), name="f", arguments="{}", service=service, timeout=timeout)


class Worker:
    """One process on the engine, as far as the store is concerned."""

    def __init__(self, database: Database, name: str) -> None:
        self.name = name
        self.outbox_ids: list[int] = []
        self.woken: list[Run] = []
        writer = Writer(name, self.outbox_ids.extend, self.woken.append)
        self.assistants = Assistants(database)
        self.threads = Threads(database, writer)
        self.messages = Messages(database, writer)
        self.runs = Runs(database, writer)
        self.users = Users(database)
        self.tools = Tools(database)
        self.conversations = Conversations(database)
        self.aliases = Aliases(database)
        self.driving = Driving(database, writer)
        self.answers = Answers(database, writer)
        self.sweeps = Sweeps(database, writer)
        self.liveness = Liveness(database, name, "test")
        self.table = OutboxTable(database)


class World:
    """A tenant with an assistant, and everything a test does to it."""

    @classmethod
    async def make(cls, database: Database, observers: "asyncpg.Pool[asyncpg.Record]") -> "World":
        """`observers` are connections to the same database that know nothing of the engine."""
        world = cls(database, observers)
        await Tenants(database).ensure(world.tenant, "a tenant", ["moodle"])
        await world.gateway.assistants.create(
            world.tenant,
            NewAssistant(
                id=world.assistant_id, model="demo", instructions="Be brief.", tools=[{"type": "file_search"}]
            ),
        )
        return world

    def __init__(self, database: Database, observers: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.database = database
        self._observers = observers
        self.tenant = f"tenant-{next(_numbers)}"
        self.assistant_id = new_id("assistant")
        self.gateway = self.worker("gateway")

    def worker(self, name: str) -> Worker:
        return Worker(self.database, f"{name}-{self.tenant}-{next(_numbers)}")

    async def live_worker(self, name: str = "orchestrator") -> Worker:
        worker = self.worker(name)
        await worker.liveness.register()
        return worker

    async def start_run(self, *messages: NewMessage, **fields: object) -> Run:
        draft = NewRun(id=new_id("run"), assistant_id=self.assistant_id, **fields)  # type: ignore[arg-type]
        thread = NewThread(id=new_id("thread"), messages=messages or (user(),))
        return await self.gateway.runs.start_on_new_thread(self.tenant, thread, draft)

    async def claimed(self, worker: Worker, run: Run | None = None) -> Run:
        run = await self.start_run() if run is None else run
        claimed = await worker.driving.claim(self.tenant, run.id)
        assert claimed is not None
        return claimed

    async def parked(self, *calls: NewToolCall) -> Run:
        worker = await self.live_worker()
        run = await self.claimed(worker)
        await worker.driving.park(run, new_id("step"), calls, Usage(prompt_tokens=7, completion_tokens=3))
        return await self.read(run)

    async def read(self, run: Run) -> Run:
        return await self.gateway.runs.get(self.tenant, run.thread_id, run.id)

    async def active_run(self, run: Run) -> str | None:
        return (await self.gateway.threads.get(self.tenant, run.thread_id)).active_run

    async def sql(self, statement: str, *values: object) -> list[asyncpg.Record]:
        return list(await self._observers.fetch(statement, *values))

    async def events(self, run: Run) -> list[str]:
        """The kinds of the run's events in order; checks that the numbering has no gap."""
        found = await self.sql(
            "SELECT seq, type FROM run_events WHERE tenant_id = $1 AND run_id = $2 ORDER BY seq", self.tenant, run.id
        )
        assert [row["seq"] for row in found] == list(range(1, len(found) + 1))
        return [row["type"].removeprefix("threadworks.").removesuffix(".v1") for row in found]

    async def outbox(self, thread_id: str) -> list[str]:
        """The kinds of a thread's unpublished events in order; each is valid by its contract."""
        found = await self.sql(
            "SELECT id FROM outbox WHERE tenant_id = $1 AND thread_id = $2 ORDER BY id", self.tenant, thread_id
        )
        rows = await self.gateway.table.unpublished([row["id"] for row in found])
        last: dict[str | None, int] = {}
        for row in rows:
            codec.encode(address(row, "inline").message)
            if row.seq is not None:
                assert row.seq > last.get(row.run_id, 0), "a run's events are published in the order of their numbers"
                last[row.run_id] = row.seq
        return [row.type.removeprefix("threadworks.").removesuffix(".v1") for row in rows]
