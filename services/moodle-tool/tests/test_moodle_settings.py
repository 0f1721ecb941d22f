"""Settings: names, defaults, and one clear line when something is missing."""

import os
import subprocess
import sys

import pytest
from moodle_tool.settings import MoodleToolSettings
from pydantic import ValidationError
from service_process import load_settings

SECRET = "0123456789abcdef0123456789abcdef"


def set_moodle(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    monkeypatch.setenv("THREADWORKS_MOODLE_BASE_URL", "https://moodle.example")
    monkeypatch.setenv("THREADWORKS_MOODLE_TOKEN", SECRET)
    for name, value in values.items():
        monkeypatch.setenv(f"THREADWORKS_{name}", value)


def test_two_settings_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    set_moodle(monkeypatch)
    settings = MoodleToolSettings()
    assert settings.moodle_time_zone == "Europe/Berlin"
    assert settings.moodle_text_limit == 60_000
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOODLE_BASE_URL", "moodle.example"),
        ("MOODLE_TOKEN", ""),
        ("MOODLE_TIME_ZONE", "Berlin"),
        ("MOODLE_TIME_ZONE", "../etc/passwd"),
        ("MOODLE_TEXT_LIMIT", "100"),
        ("MOODLE_CALL_TIMEOUT", "0"),
        ("MOODLE_CALL_TIMEOUT", "inf"),
        ("MOODLE_REQUEST_TIMEOUT", "nan"),
    ],
)
def test_wrong_values_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    set_moodle(monkeypatch, **{name: value})
    with pytest.raises(ValidationError):
        MoodleToolSettings()


def test_a_wrong_value_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_moodle(monkeypatch, MOODLE_TIME_ZONE="Berlin-secret")
    with pytest.raises(SystemExit) as caught:
        load_settings("moodle-tool", MoodleToolSettings)
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "moodle-tool cannot start: THREADWORKS_MOODLE_TIME_ZONE: not the name of a time zone, such as Europe/Berlin\n"
    )


def test_a_process_without_its_settings_says_so_in_one_line_and_ends_with_2() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("THREADWORKS_")}
    ended = subprocess.run(
        [sys.executable, "-m", "moodle_tool"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "moodle-tool cannot start: "
        "THREADWORKS_KAFKA_BOOTSTRAP is not set, set it to the brokers of the Kafka cluster, host:port[,host:port…]; "
        "THREADWORKS_MOODLE_BASE_URL is not set, set it to the address of your Moodle, https://…; "
        "THREADWORKS_MOODLE_TOKEN is not set, set it to the web service token of a Moodle account\n"
    )
