from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_engine.domain.objects import Message, ToolCall
from run_engine.domain.sources import Source, sources_of
from run_engine.domain.status import MessageStatus


def said(*annotations: Any, value: str = "Two weeks [1].") -> Message:
    return Message(
        id="msg_1",
        thread_id="thread_1",
        created_at=datetime(2024, 5, 1, tzinfo=UTC),
        status=MessageStatus.COMPLETED,
        incomplete_details=None,
        completed_at=None,
        incomplete_at=None,
        role="assistant",
        content=[
            {"type": "image_file", "image_file": {"file_id": "file-1"}},
            {"type": "text", "text": {"value": value, "annotations": list(annotations)}},
        ],
        assistant_id=None,
        run_id=None,
        attachments=None,
        metadata={},
    )


def told(output: Any, name: str = "law") -> ToolCall:
    text = output if isinstance(output, str) or output is None else orjson.dumps(output).decode()
    return ToolCall(id="call_1", name=name, arguments="{}", service="law", output=text)


@pytest.mark.parametrize("key", ["metadata", "meta_data"])
def test_a_tool_that_knows_its_sources_gives_these(key: str) -> None:
    listed = [
        {"content": "§ 622", key: {"document_title": "BGB", "section": "§ 622 Abs. 3"}},
        {"content": "more"},
        {"content": "odd", key: {"document_title": 7}},
        {"content": ""},
        "nothing",
    ]
    assert sources_of(said(), [told({"sources": listed})]) == [
        Source(content="§ 622", document_title="BGB", section="§ 622 Abs. 3"),
        Source(content="more"),
        Source(content="odd"),
    ]


@pytest.mark.parametrize(
    "output", ["plain text", {"dates": ["1. May"]}, [1, 2], '{"broken":', "7", {"sources": "none"}]
)
def test_any_other_output_is_one_source_with_the_name_of_the_function(output: Any) -> None:
    call = told(output, name="dates")
    assert sources_of(said(), [call]) == [Source(content=call.output or "", document_title="dates")]


@pytest.mark.parametrize(
    "output", [None, "", "  ", {"error": {"code": "timeout", "message": "x"}}, {"error": "x"}, {"sources": []}]
)
def test_a_call_that_failed_or_is_open_or_found_nothing_is_no_source(output: Any) -> None:
    assert sources_of(said(), [told(output)]) == []


def test_citations_of_files_and_pages_are_sources() -> None:
    cited = said(
        {"type": "file_citation", "text": "[1]", "file_citation": {"file_id": "file-1", "quote": "two weeks"}},
        {"type": "file_citation", "text": "[2]", "file_citation": {"file_id": "file-2"}},
        {
            "type": "url_citation",
            "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 3},
        },
        {"type": "url_citation", "url": "https://b.example"},
        {"type": "file_path", "text": "sandbox:/x", "file_path": {"file_id": "file-3"}},
    )
    assert sources_of(cited, []) == [
        Source(content="two weeks", document_title="file-1"),
        Source(content="[2]", document_title="file-2"),
        Source(content="Two", document_title="A", section="https://a.example"),
        Source(content="https://b.example", document_title="https://b.example"),
    ]


def test_each_source_is_given_once_and_citations_come_first() -> None:
    citation = {"type": "file_citation", "text": "[1]", "file_citation": {"file_id": "file-1"}}
    calls = [told("a"), told("b"), told("a")]
    assert sources_of(said(citation, citation), calls) == [
        Source(content="[1]", document_title="file-1"),
        Source(content="a", document_title="law"),
        Source(content="b", document_title="law"),
    ]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
citations = st.fixed_dictionaries(
    {"type": st.sampled_from(["file_citation", "url_citation", "other"])},
    optional={
        "text": anything,
        "file_citation": anything | st.fixed_dictionaries({"file_id": anything, "quote": anything}),
        "url_citation": anything
        | st.fixed_dictionaries({"url": anything, "start_index": anything, "end_index": anything}),
    },
)


@given(
    st.lists(citations | anything, max_size=3),
    st.lists(anything | st.fixed_dictionaries({"sources": anything}), max_size=3),
)
def test_models_and_tools_may_write_what_they_like(annotations: list[Any], outputs: list[Any]) -> None:
    calls = [told(orjson.dumps(output).decode()) for output in outputs if _writable(output)]
    for source in sources_of(said(*annotations), calls):
        assert source.content


def _writable(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except (orjson.JSONEncodeError, TypeError):
        return False
    return True
