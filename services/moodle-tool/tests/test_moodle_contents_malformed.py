"""A reply that is not as it should be never breaks a call: wrong parts are skipped."""

from datetime import UTC, datetime
from typing import Any

import pytest
from moodle_tool.adapters.course_contents import read_contents
from moodle_tool.application.course import Activity


def module(**fields: Any) -> Activity:
    defaults: dict[str, Any] = {"id": 1, "modname": "assign", "name": "A", "visible": 1, "uservisible": True}
    section = {"id": 5, "name": "S", "visible": 1, "uservisible": True, "modules": [defaults | fields]}
    return read_contents([section], 7).sections[0].activities[0]


@pytest.mark.parametrize(
    "custom", [None, '""', "", "not JSON", "[]", "3", '{"duedate":"soon"}', '{"duedate":0}', '{"duedate":true}', 17, {}]
)
def test_customdata_without_dates_gives_none(custom: object) -> None:
    assert module(customdata=custom).dates == ()


@pytest.mark.parametrize("timestamp", [1795993140, "1795993140"])
def test_a_date_may_be_a_number_or_text(timestamp: object) -> None:
    dates = module(dates=[{"label": "Fällig:", "timestamp": timestamp, "dataid": "duedate"}]).dates
    assert [(date.label, date.at) for date in dates] == [("Due", datetime(2026, 11, 29, 22, 59, tzinfo=UTC))]


def test_an_unknown_date_keeps_moodle_s_label() -> None:
    dates = module(dates=[{"label": "Sprechstunde:", "timestamp": 1795993140, "dataid": "officehour"}, {}, 3]).dates
    assert [date.label for date in dates] == ["Sprechstunde"]


@pytest.mark.parametrize("timestamp", [1 << 60, -5, None, "", [], 10**30])
def test_an_impossible_date_is_left_out(timestamp: object) -> None:
    assert module(dates=[{"label": "x", "timestamp": timestamp, "dataid": "duedate"}]).dates == ()


@pytest.mark.parametrize("contents", [None, [], {}, "x", [3, None], [{"type": "file"}]])
def test_odd_contents_are_survived(contents: object) -> None:
    assert len(module(modname="folder", contents=contents).files) in {0, 1}


@pytest.mark.parametrize("content", [None, "", "[", '{"title":1}', '[{"title":null,"subitems":3}]'])
def test_an_odd_structure_of_a_book_is_survived(content: object) -> None:
    entry = {"type": "content", "filename": "structure", "content": content}
    assert all(chapter.title == "" for chapter in module(modname="book", contents=[entry]).chapters)


def test_sections_and_modules_that_are_no_objects_are_skipped() -> None:
    course = read_contents([None, 3, {"id": 1, "modules": [None, "x"]}, {"id": 2, "modules": None}], 7)
    assert [section.activities for section in course.sections] == [(), ()]
    assert course.address is None


@pytest.mark.parametrize("visible", [0, "0"])
def test_hidden_is_hidden_as_number_and_as_text(visible: object) -> None:
    section = {"id": 1, "visible": 1, "modules": [{"id": 2, "name": "secret", "visible": visible}]}
    assert read_contents([section], 7).sections[0].activities == ()


def test_an_unknown_kind_of_activity_is_told_by_its_own_name() -> None:
    assert module(modname="hvp").kind == "hvp"
