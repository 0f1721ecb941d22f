"""The official SDK repeats a request with its Idempotency-Key: one run, and the same reply."""

import asyncio
from uuid import uuid4

import pytest
from installation import Installation
from openai import ConflictError
from threadworks import demo


async def test_a_request_that_is_repeated_starts_one_run(installation: Installation) -> None:
    threads = installation.client().beta.threads
    key = {"Idempotency-Key": f"order-{uuid4()}"}
    thread = {"messages": [{"role": "user", "content": "Wann sind die Termine?"}]}

    async def ask() -> tuple[bytes, str | None]:
        reply = await threads.with_raw_response.create_and_run(
            assistant_id=demo.ASSISTANT,
            thread=thread,  # type: ignore[arg-type]
            extra_headers=key,
        )
        return reply.content, reply.headers.get("idempotent-replayed")

    at_once = await asyncio.gather(*(ask() for _ in range(5)))
    later = await ask()
    assert len({body for body, _ in [*at_once, later]}) == 1
    assert sorted(str(replayed) for _, replayed in [*at_once, later]) == ["None"] + ["true"] * 5

    started = (
        await threads.with_raw_response.create_and_run(
            assistant_id=demo.ASSISTANT,
            thread=thread,  # type: ignore[arg-type]
            extra_headers=key,
        )
    ).parse()
    run = await threads.runs.poll(started.id, thread_id=started.thread_id)
    assert run.status == "completed"
    assert [each.id for each in (await threads.runs.list(started.thread_id)).data] == [started.id]
    said = (await threads.messages.list(started.thread_id)).data
    assert [each.role for each in said] == ["assistant", "user"], "asked once, answered once"

    with pytest.raises(ConflictError) as conflict:
        await threads.create_and_run(assistant_id=demo.ASSISTANT, extra_headers=key)
    assert conflict.value.code == "idempotency_key_reused"
