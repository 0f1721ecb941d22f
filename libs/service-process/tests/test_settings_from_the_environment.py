"""Wrong settings end a process with one line that names them, and never shows a value."""

import pytest
from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from service_process import ProcessSettings, load_settings


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="THREADWORKS_", extra="ignore")

    moodle_token: SecretStr = Field(min_length=8)
    places: int = 3
    windows: dict[str, int] = Field(default_factory=dict, description='a JSON object, {"name": 1}')
    model_key: SecretStr = Field(
        default=SecretStr("x"), min_length=1, validation_alias=AliasChoices("model_key", "MODEL_KEY")
    )

    @model_validator(mode="after")
    def _odd(self) -> "Settings":
        if self.places % 2 == 0:
            raise ValueError("THREADWORKS_PLACES must be odd")
        return self


def _refused(capsys: pytest.CaptureFixture[str], *classes: type[BaseSettings]) -> str:
    with pytest.raises(SystemExit) as ended:
        load_settings("a-service", *classes)  # type: ignore[call-overload]
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_all_missing_settings_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    error = _refused(capsys, ProcessSettings, Settings)
    assert "THREADWORKS_KAFKA_BOOTSTRAP is not set, set it to the brokers" in error
    assert "THREADWORKS_MOODLE_TOKEN is not set" in error


def test_a_wrong_value_is_named_and_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADWORKS_MOODLE_TOKEN", "s3cret!")
    monkeypatch.setenv("THREADWORKS_PLACES", "many")
    monkeypatch.setenv("MODEL_KEY", "")
    error = _refused(capsys, Settings)
    assert "THREADWORKS_MOODLE_TOKEN" in error
    assert "THREADWORKS_PLACES" in error
    assert " MODEL_KEY: " in error
    assert "s3cret!" not in error
    assert "many" not in error


def test_a_table_that_is_no_json_is_a_wrong_setting_as_any_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADWORKS_WINDOWS", "s3cret")
    error = _refused(capsys, ProcessSettings, Settings)
    assert 'THREADWORKS_WINDOWS: it is no JSON, set it to a JSON object, {"name": 1}' in error
    assert "THREADWORKS_KAFKA_BOOTSTRAP is not set" in error
    assert "s3cret" not in error


@pytest.mark.parametrize(
    "brokers", ["", " ", "kafka", "kafka:", ":9092", "kafka:port", "kafka:0", "a:1,,b:2", "a:65536"]
)
def test_brokers_that_are_no_list_of_addresses(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, brokers: str
) -> None:
    monkeypatch.setenv("THREADWORKS_KAFKA_BOOTSTRAP", brokers)
    assert "THREADWORKS_KAFKA_BOOTSTRAP: it is no list of host:port, separated by commas, set it to the" in _refused(
        capsys, ProcessSettings
    )


@pytest.mark.parametrize("brokers", ["kafka:9092", "one:9092, two:9093", "[::1]:9092"])
def test_brokers_that_are(monkeypatch: pytest.MonkeyPatch, brokers: str) -> None:
    monkeypatch.setenv("THREADWORKS_KAFKA_BOOTSTRAP", brokers)
    (process,) = load_settings("a-service", ProcessSettings)
    assert process.kafka_bootstrap == brokers


def test_a_rule_of_its_own_speaks_for_itself(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADWORKS_MOODLE_TOKEN", "long enough")
    monkeypatch.setenv("THREADWORKS_PLACES", "2")
    assert _refused(capsys, Settings) == "a-service cannot start: THREADWORKS_PLACES must be odd\n"


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADWORKS_MOODLE_TOKEN", "long enough")
    monkeypatch.setenv("THREADWORKS_KAFKA_BOOTSTRAP", "kafka:9092")
    process, settings = load_settings("a-service", ProcessSettings, Settings)
    assert process.kafka_bootstrap == "kafka:9092"
    assert settings.places == 3
    assert "long enough" not in repr(settings)
