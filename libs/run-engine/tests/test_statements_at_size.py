"""What runs all the time looks at what it needs and at no more, however much there is beside it.

Each statement is prepared and run with the plan that serves all of its parameters, and the rows that its scans looked
at are counted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio
from run_engine.lease import LEASE
from run_engine.outbox.relay import BATCH
from run_engine.store.paging import HIGHEST, LOWEST
from run_engine.store.statements import load_statements
from run_engine.sweeper import KEY_RETENTION, RETENTION

Connection = Any

UNFINISHED = 300
FILL = """
INSERT INTO tenants (id, name) VALUES ('t', 't');
INSERT INTO workers (id, role) VALUES ('alive', 'test');
INSERT INTO workers (id, role, renewed_at) SELECT 'dead-' || i, 'test', '-infinity' FROM generate_series(1, 20) i;
INSERT INTO threads (tenant_id, id, created_at, metadata)
SELECT 't', 'thread_' || i, now() - i * interval '1 s', jsonb_build_object('n', (i % 300)::text, 'one', 'same')
FROM generate_series(1, 3000) i;
INSERT INTO messages (tenant_id, id, thread_id, created_at, status, role, content, metadata)
SELECT 't', 'msg_' || i, 'thread_' || (i % 3000 + 1), now() - i * interval '1 s', 'completed', 'user', '[]', '{}'
FROM generate_series(1, 15000) i;
INSERT INTO messages (tenant_id, id, thread_id, created_at, status, role, content, metadata)
SELECT 't', 'long_' || i, 'thread_1', now() - i * interval '1 s', 'completed', 'user', '[]', '{}'
FROM generate_series(1, 10000) i;
INSERT INTO runs (tenant_id, id, thread_id, assistant_id, created_at, status, seq, expires_at, worker, model, tools,
                  metadata, truncation_strategy, tool_choice, parallel_tool_calls, response_format, open_server_calls)
SELECT 't', 'run_' || i, 'thread_' || (i % 3000 + 1), 'asst', now() - (15000 - i) * interval '1 s',
       CASE WHEN i <= 14700 THEN 'completed' WHEN i % 3 = 0 THEN 'awaiting_tools' WHEN i % 3 = 1 THEN 'in_progress'
            ELSE 'queued' END,
       6, CASE WHEN i > 14700 THEN now() + interval '600 s' END,
       CASE WHEN i > 14700 AND i % 3 = 1 THEN 'alive' END, 'demo', '[]', '{}', '{}', '"auto"', true, '"auto"',
       CASE WHEN i > 14700 AND i % 3 = 0 THEN 1 ELSE 0 END
FROM generate_series(1, 15000) i;
INSERT INTO run_steps (tenant_id, id, run_id, thread_id, assistant_id, created_at, attempt, type, status)
SELECT 't', 'step_' || i, 'run_' || i, 'thread_' || (i % 3000 + 1), 'asst', now(), 1, 'tool_calls',
       CASE WHEN i > 14700 AND i % 3 = 0 THEN 'in_progress' ELSE 'completed' END
FROM generate_series(1, 15000) i;
INSERT INTO tool_calls (tenant_id, id, step_id, run_id, thread_id, index, name, arguments, service, created_at,
                        answered_at, output, deadline, repeat_at)
SELECT 't', 'call_' || i, 'step_' || i, 'run_' || i, 'thread_' || (i % 3000 + 1), 0, 'f', '{}', 'moodle', now(),
       CASE WHEN i <= 14700 OR i % 3 > 0 THEN now() END, CASE WHEN i <= 14700 OR i % 3 > 0 THEN 'out' END,
       now() + interval '60 s', now() + interval '30 s'
FROM generate_series(1, 15000) i;
INSERT INTO tool_calls (tenant_id, id, step_id, run_id, thread_id, index, name, arguments, created_at, answered_at,
                        output)
SELECT 't', 'long_call_' || i, 'step_2999', 'run_2999', 'thread_1', i, 'f', '{}', now() - i * interval '1 s',
       now() - i * interval '1 s', 'out'
FROM generate_series(1, 10000) i;
INSERT INTO users (tenant_id, id, created_at, metadata)
SELECT 't', 'user_' || i, now() - i * interval '1 s', '{}' FROM generate_series(1, 5000) i;
INSERT INTO thread_participants (tenant_id, thread_id, user_id)
SELECT 't', 'thread_' || (i % 3000 + 1), 'user_' || i FROM generate_series(1, 5000) i;
INSERT INTO assistants (tenant_id, id, created_at, model, tools, metadata)
SELECT 't', 'asst_' || i, now(), 'demo',
       json_build_array(json_build_object('type', 'function', 'function', json_build_object('name', 'f_' || i))), '{}'
FROM generate_series(1, 5000) i;
INSERT INTO user_assistants (tenant_id, user_id, assistant_id)
SELECT 't', 'user_' || i, 'asst_' || i FROM generate_series(1, 5000) i;
INSERT INTO tools (tenant_id, id, created_at, name, function)
SELECT 't', 'tool_' || i, now() - i * interval '1 s', 'f', json_build_object('name', 'f_' || i)
FROM generate_series(1, 5000) i;
INSERT INTO id_aliases (tenant_id, kind, number, id)
SELECT 't', 'thread', gen_random_uuid(), 'thread_' || i FROM generate_series(1, 5000) i;
INSERT INTO run_events (tenant_id, run_id, seq, type, subject, data, created_at)
SELECT 't', 'run_' || i, seq, 'x', 'x', '{}', now() - (15000 - i) * interval '1 s'
FROM generate_series(1, 15000) i, generate_series(1, 4) seq;
INSERT INTO outbox (owner, producer, tenant_id, thread_id, type, subject, data, created_at)
SELECT 'alive', 'alive', 't', 'thread_' || (i % 3000 + 1), 'x', 'x', '{}', now() FROM generate_series(1, 20000) i;
INSERT INTO idempotency_keys (tenant_id, name, fingerprint, created_at, status)
SELECT 't', sha256(i::text::bytea), '', now() - i * interval '5 s', 200 FROM generate_series(1, 15000) i;
"""


@pytest_asyncio.fixture(scope="module")
async def large(new_store_url: Callable[[], Awaitable[str]]) -> AsyncIterator[Connection]:
    url = await new_store_url()
    connection = await asyncpg.connect(url, server_settings={"plan_cache_mode": "force_generic_plan", "jit": "off"})
    await connection.execute(FILL)
    await connection.execute("VACUUM ANALYZE")
    yield connection
    await connection.close()


BOUNDS = {
    "low_time": LOWEST[0],
    "low_position": LOWEST[1],
    "high_time": HIGHEST[0],
    "high_position": HIGHEST[1],
}
THREAD = {"tenant_id": "t", "thread_id": "thread_1"}
PAGE = {**THREAD, **BOUNDS, "ascending": False, "limit": 21, "most_bytes": 2**24}

NEW_MESSAGE = {
    **THREAD,
    "thread_id": "thread_9",
    "owner": "x",
    "id": "msg_new",
    "role": "user",
    "content": "[]",
    "attachments": "[]",
    "metadata": "{}",
    "tool_calls": None,
    "tool_call_id": None,
    "most_messages": 100_000,
}
NEW_THREAD = {
    "tenant_id": "t",
    "thread_id": "thread_new",
    "owner": "x",
    "metadata": "{}",
    "tool_resources": None,
    "title": None,
    "assistant_id": None,
    "messages": '[{"id": "msg_new", "role": "user", "content": [], "metadata": {}}]',
}


@pytest.mark.parametrize(
    ("name", "values", "most"),
    [
        # The sweeper, every two seconds: nothing is due here, so hardly anything may be looked at.
        ("expired_runs", {"limit": 100}, 5),
        ("overdue_calls", {"limit": 100}, 5),
        ("repeat_calls", {"limit": 100, "owner": "x"}, 10),
        ("prune_run_events", {"retention": RETENTION, "limit": 5000}, 10),
        ("prune_idempotency_keys", {"retention": KEY_RETENTION, "limit": 5000}, 10),
        ("adopt_outbox", {"owner": "x", "lease": LEASE, "limit": 5000}, 100),
        # These look through the runs that are not over, and never at the others.
        ("lost_runs", {"limit": 100, "lease": LEASE}, 5 * UNFINISHED),
        ("idle_runs", {"limit": 100}, 2 * UNFINISHED),
        ("renew_worker", {"worker": "alive"}, 2 * UNFINISHED),
        ("queued_runs", {"limit": 50}, 120),
        # The relay: a batch, and the older rows of its threads.
        ("unpublished", {"ids": list(range(1, BATCH + 1))}, 4 * BATCH),
        ("owned", {"owner": "alive", "limit": BATCH}, BATCH + 1),
        ("delete_published", {"ids": list(range(1, BATCH + 1))}, 4 * BATCH),
        # A thread of 10 000 messages costs no more than one of ten.
        (
            "latest_messages",
            {**THREAD, "before_time": HIGHEST[0], "before_position": HIGHEST[1], "limit": 10},
            25,
        ),
        ("list_messages", {**PAGE, "run_id": None}, 100),
        ("list_messages", {**PAGE, "run_id": None, "ascending": True}, 100),
        ("list_conversation", PAGE, 200),
        ("list_conversation", {**PAGE, "ascending": True}, 200),
        ("place_of_said", {**THREAD, "id": "long_call_7", "ascending": True}, 5),
        ("find_said", {"tenant_id": "t", "id": "call_7"}, 5),
        ("find_call", {"tenant_id": "t", "call_id": "call_7"}, 5),
        ("open_calls", {**THREAD, "thread_id": "thread_1", "run_id": "run_15000"}, 5),
        ("calls_of_run", {"tenant_id": "t", "run_id": "run_7"}, 5),
        ("calls_of_runs", {"tenant_id": "t", "run_ids": ["run_7", "run_8"]}, 10),
        ("find_run", {"tenant_id": "t", "run_id": "run_7"}, 5),
        # Those who speak, among many; and adding what they say, which most do not say who they are.
        ("list_users", PAGE, 60),
        ("threads_of_user", {"tenant_id": "t", "user_id": "user_7"}, 5),
        ("participants_of_thread", THREAD, 10),
        ("assistants_of_user", {"tenant_id": "t", "user_id": "user_7"}, 5),
        ("unknown_users", {"tenant_id": "t", "ids": ["user_7", "nobody"]}, 5),
        ("delete_user", {"tenant_id": "t", "id": "user_7"}, 5),
        ("add_participant", {**THREAD, "user_id": "user_7"}, 10),
        ("list_tools", PAGE, 100),
        ("tools_of_assistant", {"tenant_id": "t", "assistant_id": "asst_7"}, 5),
        ("find_alias", {"tenant_id": "t", "kind": "thread", "number": "00000000-0000-0000-0000-000000000000"}, 1),
        ("create_message", {**NEW_MESSAGE, "sender_id": None}, 5),
        ("create_message", {**NEW_MESSAGE, "sender_id": "user_7"}, 6),
        ("create_thread", {**NEW_THREAD, "participants": [], "senders": []}, 5),
        ("create_thread", {**NEW_THREAD, "participants": ["user_7"], "senders": ["user_8"]}, 10),
        ("list_runs", PAGE, 100),
        ("list_threads", PAGE, 100),
        ("export_threads", {"tenant_id": "t", "time": LOWEST[0], "position": 0, "limit": 25}, 50),
        ("search_threads", {**PAGE, "metadata": '{"n": "7", "one": "same"}'}, 60),
        ("delete_message", {**THREAD, "id": "long_7"}, 30),
        ("list_steps", {**PAGE, "thread_id": "thread_2", "run_id": "run_3001"}, 20),
        (
            "end_run",
            {
                "owner": "x",
                **THREAD,
                "run_id": "run_3000",
                "status": "cancelled",
                "last_error": None,
                "said": None,
                "incomplete_details": None,
                "prompt_tokens": 0,
                "completion_tokens": 0,
            },
            50,
        ),
        ("abandon_step", {"owner": "x", "tenant_id": "t", "run_id": "run_3000", "reason": "x"}, 50),
        # Streams: the events of some runs, and one run of many.
        (
            "run_events_after",
            {"tenant_ids": ["t"] * 20, "run_ids": [f"run_{i}" for i in range(20)], "seqs": [2] * 20},
            200,
        ),
        ("add_stream_slot", {"tenant_id": "t", "run_id": "run_14999", "slot": 3}, 10),
        ("add_stream_slots", {"slot": 4, "tenant_ids": ["t"], "run_ids": ["run_14999"]}, 20),
        (
            "answer_calls",
            {
                "owner": "x",
                "tenant_id": "t",
                "run_id": "run_15000",
                "call_ids": ["call_15000"],
                "outputs": ["x"],
                "by_client": False,
            },
            50,
        ),
        (
            "claim_run",
            {"worker": "x", "tenant_id": "t", "run_id": "run_14999", "messages": 50, "most_bytes": 65_536},
            200,
        ),
        ("find_key", {"digest": b"x"}, 1),
        ("kept_reply", {"tenant_id": "t", "name": b"x"}, 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_statement_looks_at_what_it_needs(
    large: Connection, name: str, values: dict[str, object], most: int
) -> None:
    async with asyncio.timeout(30):
        plan = await _explain(large, name, values)
    assert _looked_at(plan) <= most, orjson.dumps(plan, option=orjson.OPT_INDENT_2).decode()


async def _explain(connection: Connection, name: str, values: dict[str, object]) -> dict[str, Any]:
    statement = load_statements()[name]
    prepared = await connection.prepare(statement.text)
    kinds = [kind.name for kind in prepared.get_parameters()]
    arguments = ", ".join(_literal(values[key], kind) for key, kind in zip(statement.parameters, kinds, strict=True))
    await connection.execute(f"PREPARE looked ({', '.join(kinds)}) AS {statement.text}")
    undone = connection.transaction()
    await undone.start()
    try:
        found = await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE looked ({arguments})")
    finally:
        await undone.rollback()
        await connection.execute("DEALLOCATE looked")
    plan: dict[str, Any] = orjson.loads(found)[0]["Plan"]
    return plan


def _looked_at(plan: dict[str, Any]) -> int:
    """The rows that all scans of tables and indexes have read, those they threw away included."""
    rows = sum(_looked_at(child) for child in plan.get("Plans", ()))
    if "Relation Name" in plan and plan["Node Type"] != "ModifyTable":
        removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        rows += round((plan["Actual Rows"] + removed) * plan["Actual Loops"])
    return rows


def _literal(value: object, kind: str) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return f"ARRAY[{', '.join(_literal(item, kind.removesuffix('[]')) for item in value)}]::{kind}"
    if isinstance(value, bytes):
        return rf"'\x{value.hex()}'::bytea"
    if isinstance(value, timedelta):
        return f"interval '{value.total_seconds()} s'"
    if isinstance(value, datetime):
        return f"'{value.isoformat()}'::timestamptz"
    return f"'{value}'::{kind}"
