"""Moodle's token appears in no log line, whatever happens and however much is logged."""

import subprocess
import sys
from pathlib import Path

import pytest
from moodle_simulator import DEMO_TOKEN

SCENARIO = Path(__file__).parent / "moodle_log_scenario.py"


@pytest.mark.parametrize("logging", ["service", "everything"])
def test_the_token_is_never_logged(logging: str) -> None:
    ended = subprocess.run(
        [sys.executable, str(SCENARIO), logging], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == [
        "completed",
        "course_not_found",
        "course_not_accessible",
        "invalid_arguments",
        "moodle_server_error",
        "completed",
        "moodle_maintenance",
        "moodle_web_services_off",
        "moodle_token_invalid",
        "course_not_accessible",
        "course_not_found",
        "moodle_unreachable",
    ]
    assert len(ended.stderr.splitlines()) > 25, "the scenario has to log something"
    assert DEMO_TOKEN not in ended.stderr
    assert "moodle_retry" in ended.stderr
    for payload in ["WH Gebäude", "Gebäude", "Hospitation", "SELECT", "Not enrolled"]:
        assert payload not in ended.stderr
    if logging == "everything":
        assert "httpcore" in ended.stderr
