"""The guide shows every setting of every class, with what is said of it there."""

from pathlib import Path

import setting_tables as tables
from pydantic import BaseModel

ROOT = Path(__file__).parents[2]


def test_the_tables_are_as_the_classes_say() -> None:
    guide = tables.GUIDE.text()
    assert tables.GUIDE.written() == guide, "run `python docs/setting_tables.py`"
    assert tables.GUIDE.names() == list(tables.TABLES)


def test_every_setting_says_what_it_means() -> None:
    for settings, _ in tables.TABLES.values():
        assert set(settings.model_fields) - set(tables.meanings(settings)) == set(), settings


def test_no_default_shows_a_secret() -> None:
    guide = tables.GUIDE.text()
    for settings, _ in tables.TABLES.values():
        for name, field in settings.model_fields.items():
            if "Secret" in str(field.annotation):
                line = next(
                    line for line in guide.splitlines() if line.startswith(f"| `{tables.variable(name, field)}` ")
                )
                assert "not set" in line or "has to be set" in line


def test_a_setting_that_is_new_is_noticed() -> None:
    class More(BaseModel):
        new: int = 3
        """New."""

    before = tables.TABLES["gateway"]
    tables.TABLES["gateway"] = (More, None)
    tables._OURS.add(More.__module__.partition(".")[0])
    try:
        assert "| `THREADWORKS_NEW` | `3` | New. |" in tables.GUIDE.written()
    finally:
        tables.TABLES["gateway"] = before
