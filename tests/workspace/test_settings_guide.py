"""The guide shows every setting of every class, with what is said of it there."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setting_tables", ROOT / "docs" / "setting_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_as_the_classes_say(tables: ModuleType) -> None:
    guide = tables.GUIDE.read_text(encoding="utf-8")
    assert tables.written(guide) == guide, "run `python docs/setting_tables.py`"
    assert tables.tables_of(guide) == list(tables.TABLES)


def test_every_setting_says_what_it_means(tables: ModuleType) -> None:
    for settings, _ in tables.TABLES.values():
        assert set(settings.model_fields) - set(tables.meanings(settings)) == set(), settings


def test_no_default_shows_a_secret(tables: ModuleType) -> None:
    guide = tables.GUIDE.read_text(encoding="utf-8")
    for settings, _ in tables.TABLES.values():
        for name, field in settings.model_fields.items():
            if "Secret" in str(field.annotation):
                line = next(
                    line for line in guide.splitlines() if line.startswith(f"| `{tables.variable(name, field)}` ")
                )
                assert "not set" in line or "has to be set" in line


def test_a_setting_that_is_new_is_noticed(tables: ModuleType) -> None:
    class More(BaseModel):
        new: int = 3
        """New."""

    guide = tables.GUIDE.read_text(encoding="utf-8")
    before = tables.TABLES["gateway"]
    tables.TABLES["gateway"] = (More, None)
    tables._OURS.add(More.__module__.partition(".")[0])
    try:
        assert "| `THREADWORKS_NEW` | `3` | New. |" in tables.written(guide)
    finally:
        tables.TABLES["gateway"] = before
