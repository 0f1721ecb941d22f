"""A whole installation is observed: one trace from a client's request through Kafka (or the in-process bus) to the tool
and the model, what log lines say, and what the ops ports show."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import orjson
import pytest
import pytest_asyncio
from gateway.adapters.metrics import METRICS as GATEWAY
from gateway.adapters.metrics import REQUESTS
from installation import Installation
from moodle_tool.adapters.metrics import METRICS as MOODLE
from moodle_tool.adapters.metrics import MOODLE_REQUESTS
from observability import Metric
from observability.process_metrics import CONSUMER_LAG
from run_engine.outbox.metrics import RUNS_ENDED
from run_engine.store.metrics import OUTBOX_DEPTH, QUEUE_AGE
from run_orchestrator.adapters.metrics import CLAIM_LATENCY, MODEL, TOOL_LATENCY
from run_orchestrator.adapters.metrics import METRICS as ORCHESTRATOR
from scraped_metrics import Scrape
from span_receiver import ReceivedSpan, SpanReceiver
from threadworks import demo
from threadworks.local_servers.ports import free_port
from tool_service.metrics import CALLS

CLIENT_SPAN = "b7ad6b7169203331"
ENDED = {"completed", "failed", "incomplete", "cancelled", "expired"}


@pytest.fixture(scope="module")
def receiver() -> Iterator[SpanReceiver]:
    with SpanReceiver() as receiver:
        yield receiver


@pytest_asyncio.fixture(scope="module", params=["run", "up"])
async def traced(request: pytest.FixtureRequest, receiver: SpanReceiver) -> AsyncIterator[Installation]:
    data_dir = Path(tempfile.mkdtemp(prefix=f"threadworks-traced-{request.param}-"))
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "THREADWORKS_OPS_PORT": str(free_port()),
    }
    started = Installation(request.param, data_dir, environment)
    try:
        await started.start()
        yield started
    finally:
        await started.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


async def ask(installation: Installation, traceparent: str | None) -> str:
    """Ask for the dates of a course, which takes a tool; return the id of the run that has answered."""
    headers = {"authorization": f"Bearer {demo.KEY}"} | ({"traceparent": traceparent} if traceparent else {})
    question = "Wann sind die Termine im Kurs 51589?"
    body = {"assistant_id": demo.ASSISTANT, "thread": {"messages": [{"role": "user", "content": question}]}}
    async with httpx.AsyncClient(base_url=installation.url, headers=headers, timeout=60) as client:
        started = await client.post("/threads/runs", json=body)
        assert started.status_code == 200, started.text
        run = started.json()
    async with installation.client() as sdk, asyncio.timeout(60):
        while run["status"] not in ENDED:
            await asyncio.sleep(0.05)
            run = (await sdk.beta.threads.runs.retrieve(run["id"], thread_id=run["thread_id"])).model_dump()
    assert run["status"] == "completed", run
    return str(run["id"])


def ancestry(span: ReceivedSpan, spans: list[ReceivedSpan]) -> list[str]:
    """The names from a span up to the first of its trace."""
    by_id = {each.id: each for each in spans}
    names = [span.name]
    while span.parent in by_id:
        span = by_id[span.parent]
        names.append(span.name)
    assert span.parent == CLIENT_SPAN, f"{names} does not go back to the client"
    return names


async def test_one_trace_from_the_request_to_the_tool_and_the_second_answer_of_the_model(
    traced: Installation, receiver: SpanReceiver
) -> None:
    trace = uuid4().hex
    run_id = await ask(traced, f"00-{trace}-{CLIENT_SPAN}-01")
    # Each process exports what it has when its own time has come.
    last = {"publish run.completed.v1": 1, "tool get_moodle_course_content": 1, "ask the model": 2}
    spans = await asyncio.to_thread(receiver.wait_for, trace, {**last, "POST /v1/threads/runs": 1, "drive run": 2})
    named: dict[str, list[ReceivedSpan]] = {}
    for span in spans:
        named.setdefault(span.name, []).append(span)
    assert len(named["POST /v1/threads/runs"]) == 1
    assert len(named["ask the model"]) == 2
    assert len(named["tool get_moodle_course_content"]) == len(named["Moodle core_course_get_contents"]) == 1
    moodle = ancestry(named["Moodle core_course_get_contents"][0], spans)
    assert moodle[:4] == [
        "Moodle core_course_get_contents",
        "tool get_moodle_course_content",
        "handle tool-call.requested.v1",
        "publish tool-call.requested.v1",
    ]
    assert moodle[-1] == "POST /v1/threads/runs"
    paths = [ancestry(span, spans) for span in named["ask the model"]]
    first, second = sorted(paths, key=len)
    assert first[:2] == second[:2] == ["ask the model", "drive run"]
    assert "tool get_moodle_course_content" in second
    assert "tool get_moodle_course_content" not in first
    services = {span.service for span in spans}
    if traced.mode == "run":
        assert services == {"threadworks"}
    else:
        assert services == {"gateway", "run-orchestrator", "moodle-tool"}
    runs = {span.attributes["threadworks.run_id"] for span in spans if "threadworks.run_id" in span.attributes}
    assert runs == {run_id}
    assert not any(span.failed for span in spans)


async def test_spans_hold_ids_and_neither_texts_nor_secrets(traced: Installation, receiver: SpanReceiver) -> None:
    text = orjson.dumps([[span.name, span.attributes] for span in receiver.spans], default=str).decode()
    assert traced.url
    assert "Moodle core_course_get_contents" in text, "there are spans to look at"
    for secret in ("51589", "Termine", demo.KEY, "wstoken"):
        assert secret not in text


async def test_the_log_tells_which_trace_run_and_event_a_line_is_about(traced: Installation) -> None:
    trace = uuid4().hex
    run_id = await ask(traced, f"00-{trace}-{CLIENT_SPAN}-01")
    about = [line for line in traced.log_lines() if line.get("trace_id") == trace]
    by_action = {line["action"]: line for line in about}
    assert by_action["request"]["request_id"].startswith("req_")
    for action in ("run_claimed", "run_driven", "tool_call_completed", "tool_call_answered"):
        assert by_action[action]["run_id"] == run_id, action
    assert len(by_action["tool_call_completed"]["event_id"]) == len(by_action["tool_call_answered"]["event_id"]) == 36
    assert by_action["tool_call_completed"]["event_id"] != by_action["tool_call_answered"]["event_id"]


async def test_every_process_shows_its_health_and_all_of_its_metrics(traced: Installation) -> None:
    await ask(traced, None)
    everything = (*GATEWAY, *ORCHESTRATOR, *MOODLE)
    lists = {"gateway": GATEWAY, "run-orchestrator": ORCHESTRATOR, "moodle-tool": MOODLE, "threadworks-run": everything}
    services = traced.ops_ports()
    expected = {"run": ["threadworks-run"], "up": ["gateway", "moodle-tool", "run-orchestrator", "run-orchestrator"]}
    assert sorted(services.values()) == expected[traced.mode]

    async def scraped() -> dict[str, Scrape]:
        async with httpx.AsyncClient(timeout=10) as client:
            pages = {port: await client.get(f"http://127.0.0.1:{port}/metrics") for port in services}
        return {f"{services[port]} {port}": Scrape(page.text) for port, page in pages.items()}

    async with httpx.AsyncClient(timeout=10) as client:
        for port in services:
            for path, told in (("healthz", {"status": "ok"}), ("readyz", {"missing": {}})):
                reply = await client.get(f"http://127.0.0.1:{port}/{path}")
                assert (reply.status_code, reply.json()) == (200, told), services[port]
    for name, page in (await scraped()).items():
        assert page.missing(lists[name.split()[0]]) == set(), name

    def groups(pages: dict[str, Scrape]) -> int:
        return len({group for page in pages.values() for group in page.labels(CONSUMER_LAG, "group")})

    def total(pages: dict[str, Scrape], metric: Metric, **labels: str) -> float:
        return sum(page.value(metric, **labels) for page in pages.values())

    # The end of a topic is known as of the last look at it, ten seconds ago at the most.
    async with asyncio.timeout(40):
        pages = await scraped()
        while any(total(pages, metric) for metric in (QUEUE_AGE, OUTBOX_DEPTH, CONSUMER_LAG)) or groups(pages) < 3:
            await asyncio.sleep(0.2)
            pages = await scraped()
    route = {"dialect": "openai", "route": "/v1/threads/runs", "method": "POST", "status": "200"}
    asked = total(pages, REQUESTS, **route)
    assert asked >= 1
    assert total(pages, RUNS_ENDED, status="completed") == asked
    assert total(pages, CLAIM_LATENCY) == total(pages, MODEL, outcome="answered") == 2 * asked
    assert total(pages, TOOL_LATENCY, service="moodle", outcome="completed") == asked
    assert total(pages, CALLS, outcome="completed") == total(pages, MOODLE_REQUESTS, outcome="ok") == asked
