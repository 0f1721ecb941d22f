"""One line an event, the same fields whichever logger it came from, on stderr."""

import logging
import sys
import warnings
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import structlog
from observability import configure_logging
from observability.standard_library import StandardLibraryHandler

pytestmark = pytest.mark.usefixtures("logging_state")
KEY = "sk-proj-Q7x_secretsecret-wxyz"


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [orjson.loads(line) for line in captured.err.splitlines()]


def test_an_event_is_one_json_line_with_its_origin(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "json", "info")
    structlog.get_logger("gateway.runs").info("run claimed", action="run_claimed", attempt=2)
    (line,) = lines_of(capsys)
    written = datetime.fromisoformat(line.pop("timestamp"))
    assert abs((datetime.now(UTC) - written).total_seconds()) < 60
    assert line == {
        "event": "run claimed",
        "action": "run_claimed",
        "attempt": 2,
        "service": "gateway",
        "logger": "gateway.runs",
        "level": "info",
    }


def test_the_standard_library_takes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "json", "info")
    logging.getLogger("aiokafka.consumer").warning("rebalance of %s", "orders")
    (line,) = lines_of(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("rebalance of orders", "aiokafka.consumer", "warning")
    assert line["service"] == "gateway"


def test_context_variables_are_part_of_events_of_both_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "json", "info")
    with structlog.contextvars.bound_contextvars(run_id="run_1"):
        structlog.get_logger("a").info("one")
        logging.getLogger("b").info("two")
    assert [line["run_id"] for line in lines_of(capsys)] == ["run_1", "run_1"]


def test_events_below_the_level_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "json", "WARNING")
    structlog.get_logger("a").info("no")
    logging.getLogger("b").info("no")
    structlog.get_logger("a").error("yes")
    logging.getLogger("b").error("yes")
    assert [line["event"] for line in lines_of(capsys)] == ["yes", "yes"]


def test_a_traceback_is_text_without_local_values_and_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    for chosen in ("json", "console"):
        configure_logging("gateway", chosen, "info")
        local_value = "a local " + "value"
        try:
            raise ValueError(f"{KEY[:3]}" + f"{KEY[3:]} refused")
        except ValueError:
            structlog.get_logger("a").exception("failed")
            logging.getLogger("b").exception("failed")
        text = capsys.readouterr().err
        assert text.count("ValueError: sk-…wxyz refused") == 2
        assert KEY not in text
        assert local_value not in text


def test_configuring_again_replaces_and_does_not_double(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("one", "json", "info")
    configure_logging("two", "json", "info")
    logging.getLogger("b").info("hello")
    assert [line["service"] for line in lines_of(capsys)] == ["two"]


def test_auto_is_json_where_stderr_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure_logging("gateway", "auto", "info")
    structlog.get_logger("a").info("hello")
    assert lines_of(capsys)[0]["event"] == "hello"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    configure_logging("gateway", "auto", "info")
    structlog.get_logger("a").info("hello")
    text = capsys.readouterr().err
    assert "hello" in text
    assert not text.startswith("{")


def test_an_unknown_format_or_level_is_refused() -> None:
    with pytest.raises(ValueError, match="'loud'"):
        configure_logging("gateway", "json", "loud")
    with pytest.raises(ValueError, match="'xml'"):
        configure_logging("gateway", "xml", "info")  # type: ignore[arg-type]  # the wrong value is the point


def test_warnings_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "json", "info")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old call", DeprecationWarning, stacklevel=1)
    (line,) = lines_of(capsys)
    assert line["logger"] == "py.warnings"
    assert "old call" in line["event"]


def test_values_that_json_cannot_hold_do_not_fail_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "json", "info")
    structlog.get_logger("a").info(
        "odd", big=2**80, surrogate="\ud800", thing=object, when=datetime(2026, 1, 2, tzinfo=UTC)
    )
    text = capsys.readouterr().err
    assert str(2**80) in text
    assert "2026-01-02" in text


def test_a_record_that_cannot_be_rendered_is_named_without_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "json", "info")
    (ours,) = [each for each in logging.getLogger().handlers if isinstance(each, StandardLibraryHandler)]
    ours.handle(logging.LogRecord("b", logging.INFO, __file__, 1, "%d of them", ("a secret " + "value",), None))
    (line,) = lines_of(capsys)
    assert line["action"] == "log_record_lost"
    assert "TypeError" in line["event"]
    assert "secret" not in str(line)


def test_a_library_cannot_lower_its_floor_later(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "json", "debug")
    logging.getLogger("openai").setLevel(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    logging.getLogger("openai._base_client").debug("Request options: …")
    logging.getLogger("httpx").info("HTTP Request: GET https://example.org/?q=1")
    logging.getLogger("openai").warning("kept")
    assert [line["event"] for line in lines_of(capsys)] == ["kept"]
