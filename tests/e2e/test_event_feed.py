"""Any Kafka consumer sees what happens to runs: in order, and valid by the contracts."""

import uuid

import pytest
from aiokafka import AIOKafkaConsumer
from installation import Installation
from message_contracts import codec
from threadworks import demo

EXPECTED = [
    "run.queued",
    "run.in_progress",
    "run-step.created",
    "run.awaiting_tools",
    "run-step.completed",
    "run.queued",
    "run.in_progress",
    "run-step.created",
    "message.completed",
    "run-step.completed",
    "run.completed",
]


async def test_a_subscriber_sees_the_life_of_a_run(installation: Installation) -> None:
    if installation.mode != "up":
        pytest.skip("`threadworks run` has no Kafka: its bus is in the process")
    client = installation.client()
    consumer = AIOKafkaConsumer(
        "threadworks.run-events.v1",
        bootstrap_servers=installation.kafka,
        group_id=f"test-{uuid.uuid4()}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        run = await client.beta.threads.create_and_run_poll(
            assistant_id=demo.ASSISTANT,
            thread={"messages": [{"role": "user", "content": "gib mir die termine von moodle"}]},
        )
        known: set[str] = set()
        seen: list[tuple[int, str]] = []
        async for record in consumer:
            assert record.key is not None
            event = codec.decode(record.headers, record.value)
            # Another process may publish an event again, under its id; what comes first comes in order.
            if event.correlation_id != run.id or event.id in known:
                continue
            known.add(event.id)
            assert record.key.decode() == run.thread_id
            assert event.tenant == demo.TENANT
            assert event.seq is not None
            seen.append((event.seq, event.type.removeprefix("threadworks.").removesuffix(".v1")))
            if event.type == "threadworks.run.completed.v1":
                assert event.data["run"]["usage"]["total_tokens"] == run.usage.total_tokens  # type: ignore[union-attr]
                break
    finally:
        await consumer.stop()
    assert [kind for _, kind in seen] == EXPECTED
    assert [seq for seq, _ in seen] == list(range(1, len(EXPECTED) + 1))
