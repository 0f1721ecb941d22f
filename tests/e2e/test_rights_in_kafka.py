"""The rights that the manifests give to users of Kafka are enough, and no more: a whole installation runs on them.

The broker refuses whatever no rule allows. Its rules are those of `deploy/k8s/components/strimzi/users.yaml`.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, TopicAuthorizationFailedError
from aiokafka.protocol.admin import CreateAclsRequest
from event_bus.kafka_admin import ensure_topics
from event_bus.kafka_settings import KafkaSettings
from moodle_simulator.owners import DEMO_TOKEN
from openai import AsyncOpenAI
from run_engine.store.database import Database
from run_engine.store.migrate import migrate
from threadworks import demo
from threadworks.commands.topics import declared_topics
from threadworks.local_servers import LocalKafka
from threadworks.local_servers.kafka_properties import Listener
from threadworks.local_servers.ports import free_port

USERS = Path(__file__).resolve().parents[2] / "deploy/k8s/components/strimzi/users.yaml"
PASSWORD = "password-of-everybody"
PATIENCE = 60.0
# As Kafka's protocol counts them.
RESOURCES = {"topic": 2, "group": 3}
OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8}
LITERAL, ALLOW = 3, 3

Started = Callable[..., "Running"]


def users() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(USERS.read_text()))


@pytest_asyncio.fixture(scope="module")
async def broker(server_directory: Path) -> AsyncIterator[LocalKafka]:
    """A broker that knows the users and their rules and refuses everything else; its plain listener allows all."""
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    kafka = LocalKafka(
        server_directory / "kafka-with-rules",
        listeners=[Listener(name="USERS", security_protocol="SASL_PLAINTEXT", port=free_port())],
        scram_users={user["metadata"]["name"]: PASSWORD for user in users()},
        settings={
            "listener.name.users.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.users.scram-sha-512.sasl.jaas.config": login,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        },
    )
    await kafka.start()
    try:
        plain = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, client_id="test")
        await ensure_topics(plain, declared_topics(["moodle"]), replication_factor=1)
        await grant(kafka.bootstrap_servers)
        yield kafka
    finally:
        await kafka.stop()


async def grant(bootstrap: str) -> None:
    """Give the users their rules, as Strimzi's user operator does."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        for user in users():
            for rule in user["spec"]["authorization"]["acls"]:
                for operation in rule["operations"]:
                    request = CreateAclsRequest(
                        RESOURCES[rule["resource"]["type"]],
                        rule["resource"]["name"],
                        LITERAL,
                        f"User:{user['metadata']['name']}",
                        "*",
                        OPERATIONS[operation],
                        ALLOW,
                    )
                    await client.send(client.get_random_node(), request)
    finally:
        await client.close()


class Running:
    """A process of ours and its log."""

    def __init__(self, module: str, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], env=environment, stdout=file, stderr=file
            )

    async def said(self, action: str) -> dict[str, Any]:
        """The first line of its log with that action."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for line in self.log.read_bytes().splitlines():
                    if line.startswith(b"{") and (told := orjson.loads(line)).get("action") == action:
                        return dict(told)
                assert self.process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """`started(module, *arguments, **settings)`; everything is stopped at the end."""
    running: list[Running] = []
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("THREADWORKS_", "OPENAI_"))}

    def begin(module: str, *arguments: str, **settings: str) -> Running:
        environment = {**inherited, "THREADWORKS_LOG_FORMAT": "json", **settings}
        running.append(Running(module, [*arguments], environment, tmp_path / f"{len(running)}-{module}.log"))
        return running[-1]

    yield begin
    for each in reversed(running):
        each.process.terminate()
    for each in running:
        each.process.wait(PATIENCE)


def signed_in(broker: LocalKafka, user: str) -> dict[str, str]:
    return {
        "THREADWORKS_KAFKA_BOOTSTRAP": broker.address_of("USERS"),
        "THREADWORKS_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "THREADWORKS_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "THREADWORKS_KAFKA_SASL_USERNAME": f"threadworks-{user}",
        "THREADWORKS_KAFKA_SASL_PASSWORD": PASSWORD,
    }


def options(broker: LocalKafka, user: str) -> dict[str, Any]:
    """The same, for a client of our own."""
    return {
        "bootstrap_servers": broker.address_of("USERS"),
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": f"threadworks-{user}",
        "sasl_plain_password": PASSWORD,
    }


async def test_a_course_question_is_answered_by_users_with_their_rights_alone(
    broker: LocalKafka, database_url: str, started: Started, tmp_path: Path
) -> None:
    await migrate(database_url)
    database = await Database.connect(database_url, application_name="test", max_size=2)
    await demo.seed(database, tool_services=["moodle"], with_key=True)
    await database.close()
    moodle = await started("moodle_simulator", "--log-format=json").said("simulator_started")
    model = await started("model_simulator", "--log-format=json").said("model_simulator_started")
    engine = {"THREADWORKS_DATABASE_URL": database_url, "THREADWORKS_DATA_DIR": str(tmp_path)}
    services = [
        started(
            "moodle_tool",
            **signed_in(broker, "moodle-tool"),
            THREADWORKS_MOODLE_BASE_URL=moodle["base_url"],
            THREADWORKS_MOODLE_TOKEN=DEMO_TOKEN,
        ),
        started(
            "run_orchestrator",
            **signed_in(broker, "run-orchestrator"),
            **engine,
            OPENAI_BASE_URL=model["base_url"],
            OPENAI_API_KEY="sk-simulated",
        ),
        started("gateway", **signed_in(broker, "gateway"), **engine, THREADWORKS_PORT="0"),
    ]
    for each in services:
        await ready((await each.said("ops_started"))["ops_port"])
    port = (await services[-1].said("listening"))["port"]
    async with (
        AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=demo.KEY, max_retries=0) as client,
        followed(port) as lines,
    ):
        thread = await client.beta.threads.create()
        for _ in range(2):
            stream = await client.beta.threads.runs.create(
                thread_id=thread.id,
                assistant_id=demo.ASSISTANT,
                additional_messages=[{"role": "user", "content": "gib mir die termine von moodle"}],
                stream=True,
            )
            events = [event.event async for event in stream]
            assert "thread.message.delta" in events
            assert "thread.run.completed" in events
        async with asyncio.timeout(PATIENCE):
            while await anext(lines) != "event: threadworks.run.completed.v1":
                pass
    for each in services:
        assert "uthoriz" not in each.log.read_text(), each.log.name


@asynccontextmanager
async def followed(port: int) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of the event feed, from where it stands."""
    headers = {"authorization": f"Bearer {demo.KEY}"}
    async with (
        httpx.AsyncClient(timeout=PATIENCE) as client,
        client.stream("GET", f"http://127.0.0.1:{port}/v1/events", headers=headers) as response,
    ):
        lines = response.aiter_lines()
        assert (await anext(lines)).startswith("id: ")
        yield lines


async def ready(port: int) -> None:
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient() as client:
        while (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code != 200:
            await asyncio.sleep(0.1)


async def test_the_operator_sees_dead_letters(broker: LocalKafka, started: Started) -> None:
    command = started("threadworks", "dead-letters", "list", **signed_in(broker, "operator"))
    assert await asyncio.to_thread(command.process.wait, PATIENCE) == 0, command.log.read_text()
    assert command.log.read_text() == "there are no dead letters\n"


@pytest.mark.parametrize("arguments", [("dead-letters", "list"), ("topics", "apply")])
async def test_a_wrong_password_of_the_operator_is_named(
    arguments: tuple[str, ...], broker: LocalKafka, started: Started
) -> None:
    wrong = signed_in(broker, "operator") | {"THREADWORKS_KAFKA_SASL_PASSWORD": "a-wrong-secret"}
    command = started("threadworks", *arguments, **wrong)
    assert await asyncio.to_thread(command.process.wait, PATIENCE) == 1
    said = command.log.read_text()
    assert said.endswith("; check THREADWORKS_KAFKA_SASL_USERNAME and THREADWORKS_KAFKA_SASL_PASSWORD\n")
    assert "Traceback" not in said
    assert "a-wrong-secret" not in said


async def test_the_operator_may_not_make_topics_and_is_told_so_in_one_line(
    broker: LocalKafka, started: Started
) -> None:
    command = started("threadworks", "topics", "apply", **signed_in(broker, "operator"))
    assert await asyncio.to_thread(command.process.wait, PATIENCE) == 1
    (line,) = command.log.read_text().splitlines()
    assert line.startswith("threadworks: threadworks.")
    assert line.endswith(": Authorization failed.")


async def test_the_scaler_sees_how_far_a_group_is_and_how_far_it_could_be(broker: LocalKafka) -> None:
    admin = AIOKafkaAdminClient(**options(broker, "scaler"))
    await admin.start()
    offsets = await _offsets(admin, "run-orchestrator")
    await admin.close()
    consumer = AIOKafkaConsumer(**options(broker, "scaler"))
    await consumer.start()
    ends = await consumer.end_offsets([TopicPartition("threadworks.messages.v1", 0)])
    await consumer.stop()
    assert {partition.topic for partition in offsets} <= {"threadworks.messages.v1", "threadworks.run-commands.v1"}
    assert list(ends.values()) >= [0]


async def _offsets(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, Any]:
    """Ask until the broker has a coordinator: it makes the first when the first is asked for."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return dict(await admin.list_consumer_group_offsets(group))
            except GroupCoordinatorNotAvailableError:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("moodle-tool", "threadworks.run-events.v1"),
        ("moodle-tool", "threadworks.messages.v1"),
        ("scaler", "threadworks.messages.v1"),
        ("gateway", "threadworks.tool-services.v1"),
    ],
)
async def test_a_user_cannot_write_what_is_not_its_own(user: str, topic: str, broker: LocalKafka) -> None:
    producer = AIOKafkaProducer(**options(broker, user))
    await producer.start()
    with pytest.raises(TopicAuthorizationFailedError):
        await producer.send_and_wait(topic, b"{}")
    await producer.stop()


async def test_moodle_tool_does_not_even_see_the_messages_of_users(broker: LocalKafka) -> None:
    admin = AIOKafkaAdminClient(**options(broker, "moodle-tool"))
    await admin.start()
    described = await admin.describe_topics(["threadworks.messages.v1", "threadworks.tool-calls.moodle.v1"])
    await admin.close()
    errors = {topic["topic"]: topic["error_code"] for topic in described}
    assert errors == {
        "threadworks.messages.v1": TopicAuthorizationFailedError.errno,
        "threadworks.tool-calls.moodle.v1": 0,
    }
