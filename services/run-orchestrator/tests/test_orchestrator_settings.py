"""Wrong settings of the run-orchestrator are named before it starts, and never shown."""

import pytest
from run_orchestrator.settings import OrchestratorSettings
from service_process import load_settings

PREFIX = "run-orchestrator cannot start: "


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OPENAI_API_KEY", "sk-secret\n", "it has a line break"),
        ("OPENAI_API_KEY", "sk-\u00e4secret", "it has a line break"),
        ("OPENAI_API_KEY", "", "set it to the API key of the model's server"),
        ("THREADWORKS_CONTEXT_WINDOWS", "secret", "it is no JSON, set it to a JSON object"),
        ("THREADWORKS_CONTEXT_WINDOWS", '{"secret": 0}', "greater than 0"),
        ("THREADWORKS_DRAIN_SECONDS", "inf", "finite"),
        ("THREADWORKS_TOOL_SERVICES", "moodle,a secret/../", "it is no list of tool services"),
        ("THREADWORKS_MODEL_READ_TIMEOUT", "nan", "finite"),
    ],
)
def test_a_wrong_setting_is_named_and_not_shown(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THREADWORKS_DATABASE_URL", "postgresql://host/name")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-model")
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load_settings("run-orchestrator", OrchestratorSettings)
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert error.startswith(f"{PREFIX}{name}: ")
    assert said in error
    assert error.count("\n") == 1
    assert "secret" not in error
