"""What an answer rests on: the sources that its text cites, and what tools said. Pure; for dialects that show it.

OpenAI's API has citations as annotations of the text. What a tool found has no place in it: a tool that knows its
sources tells them in its output, as `{"sources": [{"content", "metadata": {"document_title", "section"}}]}`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from run_engine.domain.objects import Json, Message, ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source of an answer."""

    content: str
    """What it says, as far as that is known; else how the text refers to it."""
    document_title: str | None = None
    section: str | None = None


def sources_of(message: Message, calls: Sequence[ToolCall]) -> list[Source]:
    """The sources of a message, each once: those that its text cites, then the outputs of its run's calls in order.

    A citation of a file has the file's id as its title: its name is not in the message. An output without sources of
    its own is one, under the name of the function; calls that failed, or are open, are none.
    """
    found = [*_cited(message.content), *(source for call in calls for source in _told(call))]
    return list(dict.fromkeys(found))


def _cited(content: Sequence[Json]) -> Iterable[Source]:
    for part in content:
        if part.get("type") != "text":
            continue
        text = part["text"]
        for annotation in text.get("annotations") or ():
            source = _citation(annotation, text.get("value") or "") if isinstance(annotation, dict) else None
            if source is not None:
                yield source


def _citation(annotation: Json, value: str) -> Source | None:
    kind = annotation.get("type")
    # Some servers have the fields of a citation in an object under its type, some have them beside it.
    cited = annotation.get(kind) if isinstance(annotation.get(kind), dict) else annotation
    if kind == "file_citation":
        file_id = _text(cited.get("file_id"))
        content = _text(cited.get("quote")) or _text(annotation.get("text")) or file_id
        return Source(content=content, document_title=file_id) if content is not None else None
    if kind == "url_citation":
        url, title = _text(cited.get("url")), _text(cited.get("title"))
        content = _text(annotation.get("text")) or _span(cited, value) or url
        if content is None:
            return None
        return Source(content=content, document_title=title or url, section=url if title else None)
    return None


def _span(cited: Json, value: str) -> str | None:
    start, end = cited.get("start_index"), cited.get("end_index")
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end:
        return None
    return value[start:end] or None


def _told(call: ToolCall) -> Iterable[Source]:
    if call.output is None:
        return
    try:
        output = orjson.loads(call.output)
    except orjson.JSONDecodeError:
        output = None
    if isinstance(output, dict):
        if output.get("error"):
            return
        if isinstance(output.get("sources"), list):
            yield from _listed(output["sources"])
            return
    if call.output.strip():
        yield Source(content=call.output, document_title=call.name)


def _listed(sources: Sequence[Json]) -> Iterable[Source]:
    for each in sources:
        content = _text(each.get("content")) if isinstance(each, dict) else None
        if content is None:
            continue
        about: Json = next((each[key] for key in ("metadata", "meta_data") if isinstance(each.get(key), dict)), {})
        yield Source(
            content=content,
            document_title=_text(about.get("document_title")),
            section=_text(about.get("section")),
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
