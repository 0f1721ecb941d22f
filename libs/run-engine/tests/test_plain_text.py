"""Messages as one text: the same one in every dialect that has no parts."""

import pytest
from run_engine.domain.objects import Json
from run_engine.domain.plain_text import plain_text

IMAGE: Json = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


def said(value: str) -> Json:
    return {"type": "text", "text": {"value": value, "annotations": []}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], ""),
        ([said("one")], "one"),
        ([said("one"), IMAGE, said("two")], "one\n\ntwo"),
        ([said(""), said("two"), said("")], "two"),
        ([said("one"), {"type": "refusal", "refusal": "I will not."}], "one\n\nI will not."),
        ([IMAGE], ""),
    ],
)
def test_each_text_is_a_paragraph(content: list[Json], expected: str) -> None:
    assert plain_text(content) == expected
