"""The generated models agree with the schemas, and a disagreement would be noticed."""

import importlib
import shutil
import typing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from message_contracts import ContractError, Message, generation
from message_contracts.models import data_as, model_name
from message_contracts.models.run import RunQueuedV1, RunRequestedV1
from message_contracts.schemas import current

MESSAGE = Message(
    type="threadworks.run.requested.v1",
    source="/threadworks/gateway",
    subject="run_1",
    tenant="tenant_1",
    data={"run": {"id": "run_1", "thread_id": "thread_1", "unknown": "kept"}},
    id="event_1",
    time=datetime(2026, 11, 24, 9, 15, 2, tzinfo=UTC),
)


def test_the_models_agree_with_the_schemas() -> None:
    assert generation.drift() == []


def test_drift_is_noticed_and_generate_mends_it(tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(generation.MODELS, models, ignore=shutil.ignore_patterns("__pycache__"))
    assert generation.drift(models) == []
    (models / "run.py").write_text((models / "run.py").read_text().replace("attempt: int", "attempt: str"))
    (models / "message.py").unlink()
    (models / "former_entity.py").write_text("")
    assert [line.split()[0] for line in generation.drift(models)] == [
        "models/former_entity.py",
        "models/message.py",
        "models/run.py",
    ]
    assert generation.write_models(models) == ["former_entity.py", "message.py", "run.py"]
    assert generation.drift(models) == []
    assert (models / "__init__.py").exists()


@pytest.mark.parametrize("type_", sorted(current().messages))
def test_every_type_has_a_model_with_its_fields(type_: str) -> None:
    module = importlib.import_module(f"message_contracts.models.{type_.split('.')[1].replace('-', '_')}")
    model = getattr(module, model_name(type_))
    schema = current().messages[type_]
    assert set(typing.get_type_hints(model)) == set(schema["properties"])
    assert model.__doc__ == schema["description"]


def test_data_as_gives_the_data_itself() -> None:
    event = data_as(MESSAGE, RunRequestedV1)
    assert event["run"]["thread_id"] == "thread_1"
    assert event is typing.cast(object, MESSAGE.data)


def test_data_as_refuses_the_model_of_another_type() -> None:
    with pytest.raises(ContractError, match=r"threadworks.run.requested.v1 does not carry RunQueuedV1"):
        data_as(MESSAGE, RunQueuedV1)


def test_two_objects_with_one_title_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = current().messages["threadworks.tool-call.failed.v1"]
    nested = {**schema["properties"]["error"], "title": "Tool call failed"}
    changed = {**schema, "properties": {**schema["properties"], "error": nested}}
    monkeypatch.setitem(current().messages, "threadworks.tool-call.failed.v1", changed)
    with pytest.raises(ValueError, match="both become ToolCallFailedV1"):
        generation.generated_models()
