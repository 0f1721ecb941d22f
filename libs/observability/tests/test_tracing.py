"""Spans are made where the environment asks for them, and only there; a trace is passed on in any case."""

import asyncio
import logging
import sys
from collections.abc import Iterator, Mapping

import orjson
import pytest
import structlog
from observability import configure_logging
from observability.log_context import LogContext
from observability.trace_context import current_traceparent, readable
from observability.tracing import STOP_SECONDS, Span, configure_tracing, span, span_of, spans_are_made
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Exported:
    """What was exported once tracing has stopped."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._tracing = configure_tracing("test", {}, self._exporter)

    def spans(self) -> dict[str, ReadableSpan]:
        self._tracing.stop()
        return {each.name: each for each in self._exporter.get_finished_spans()}


@pytest.fixture
def exported() -> Iterator[Exported]:
    exported = Exported()
    yield exported
    exported.spans()


@pytest.mark.parametrize(
    ("given", "on"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "mine", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
    ],
)
def test_the_standard_variables_turn_it_on_and_off(given: Mapping[str, str], on: bool) -> None:
    tracing = configure_tracing("test", given)
    assert tracing.on is spans_are_made() is on
    tracing.stop()
    assert not spans_are_made()


async def test_a_process_without_spans_does_not_load_what_makes_them() -> None:
    tried = "import sys, observability.tracing as t; t.configure_tracing('x', {})"
    program = f"{tried}; print('opentelemetry.sdk' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0] == b"False\n"


async def test_a_collector_that_does_not_answer_holds_up_no_process() -> None:
    program = """
import socket, time
from observability.tracing import configure_tracing, span
listener = socket.create_server(("127.0.0.1", 0))
import os
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
tracing = configure_tracing("test")
with span("one"):
    pass
began = time.monotonic()
tracing.stop()
print(time.monotonic() - began)
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0
    assert float(said.splitlines()[-1]) < STOP_SECONDS + 2


def test_without_spans_a_trace_that_was_sent_is_passed_on() -> None:
    assert current_traceparent() is None
    with span_of(SENT, "POST /v1/threads", "server") as this:
        assert current_traceparent() == this.traceparent == SENT
        with span("within"):
            assert current_traceparent() == SENT
        with span_of(None, "of something else"):
            assert current_traceparent() is None
    assert current_traceparent() is None


def test_spans_are_within_each_other_and_within_what_was_sent(exported: Exported) -> None:
    with span_of(SENT, "outer", "server", {"http.route": "/v1/threads"}) as outer:
        with span("inner", "client") as inner:
            assert current_traceparent() == inner.traceparent
        assert current_traceparent() == outer.traceparent
    spans = exported.spans()
    of_outer, of_inner = spans["outer"].context, spans["inner"].context
    assert of_outer is not None
    assert of_inner is not None
    assert f"{of_outer.trace_id:032x}" == f"{of_inner.trace_id:032x}" == SENT[3:35]
    assert spans["outer"].parent is not None
    assert f"{spans['outer'].parent.span_id:016x}" == SENT[36:52]
    assert spans["inner"].parent is not None
    assert spans["inner"].parent.span_id == of_outer.span_id
    assert dict(spans["outer"].attributes or {}) == {"http.route": "/v1/threads"}


def test_what_was_sent_and_not_sampled_is_not_exported_and_passed_on(exported: Exported) -> None:
    with span_of(SENT[:-1] + "0", "outer") as outer:
        assert outer.traceparent is not None
        assert outer.traceparent.startswith(SENT[:36])
        assert outer.traceparent.endswith("-00")
    assert exported.spans() == {}


def test_an_error_is_told_by_its_class_alone(exported: Exported) -> None:
    with pytest.raises(ValueError, match="secret"), span("fails"):
        raise ValueError("a secret")
    with pytest.raises(asyncio.CancelledError), span("was cancelled"):
        raise asyncio.CancelledError
    spans = exported.spans()
    assert dict(spans["fails"].attributes or {}) == {"error.type": "ValueError"}
    assert not spans["fails"].status.is_ok
    assert "secret" not in str(spans["fails"].to_json())
    assert spans["was cancelled"].status.is_unset


def test_several_spans_of_one_task_do_not_get_in_each_others_way(exported: Exported) -> None:
    opened: list[Span] = [span_of(SENT, f"publish {number}", "producer").open() for number in range(3)]
    assert current_traceparent() is None
    assert len({each.traceparent for each in opened}) == 3
    opened[1].failed("NotNow")
    for each in opened:
        each.close()
    assert {name: each.status.is_ok for name, each in exported.spans().items() if not each.status.is_unset} == {
        "publish 1": False
    }


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "nonsense",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        SENT + "\n",
        SENT * 1000,
    ],
)
def test_what_cannot_be_read_is_no_trace(sent: str | None) -> None:
    assert readable(sent) is None
    with span_of(sent, "begins anew"):
        assert current_traceparent() is None


@pytest.mark.usefixtures("logging_state")
async def test_a_log_line_says_what_is_worked_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "json", "info")
    log = structlog.get_logger("a")

    async def elsewhere() -> None:
        log.info("three", run_id="run_2")

    with LogContext(run_id="run_1", event_id="event_1"), span_of(SENT, "handle"):
        with LogContext(attempt=2):
            log.info("one")
        logging.getLogger("b").info("two")
        later = asyncio.create_task(elsewhere())
    log.info("four")
    await later
    lines = [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [{name: line.get(name) for name in ("run_id", "event_id", "attempt", "trace_id")} for line in lines]
    known = {"run_id": "run_1", "event_id": "event_1", "attempt": None, "trace_id": SENT[3:35]}
    assert [line["event"] for line in lines] == ["one", "two", "four", "three"]
    assert told == [
        known | {"attempt": 2},
        known,
        dict.fromkeys(known),
        known | {"run_id": "run_2"},
    ]
