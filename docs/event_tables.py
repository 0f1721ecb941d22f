"""Writes the tables of docs/guides/events.md from the AsyncAPI document: `python docs/event_tables.py`.

A test holds the guide to the document, and another one the document to the contracts.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml
from guide_parts import GuideParts
from message_contracts import asyncapi

_SCHEMAS: Final = "#/components/schemas/"
_OBJECTS: Final = "definitions."


def document() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    found: dict[str, Any] = yaml.safe_load(asyncapi.DOCUMENT.read_text("utf-8"))
    return found


def _topics(told: dict[str, Any]) -> str:
    rows = ["| topic | for | what it carries | producers → consumers |", "|---|---|---|---|"]
    for name, channel in told["channels"].items():
        whose = {"send": [], "receive": []}  # type: dict[str, list[str]]
        for key, operation in told["operations"].items():
            if operation["channel"]["$ref"] == f"#/channels/{name}":
                whose[operation["action"]].append(key.partition(".")[0])
        arrow = f"{', '.join(whose['send'])} → {', '.join(whose['receive'])}"
        tag = channel["tags"][0]["name"]
        shown = f"**{tag}**" if tag == "public" else tag
        rows.append(f"| `{channel['address']}` | {shown} | {channel['description']} | {arrow} |")
    return "\n".join([*rows, ""])


def _headers(told: dict[str, Any]) -> str:
    headers = told["components"]["schemas"]["cloud-event-headers"]
    rows = ["| header | always | what it is |", "|---|---|---|"]
    for name, header in headers["properties"].items():
        what = header.get("description") or f"`{header['const']}`"
        rows.append(f"| `{name}` | {'yes' if name in headers['required'] else ''} | {what} |")
    return "\n".join([*rows, ""])


def _types(tag: str) -> Callable[[dict[str, Any]], str]:
    def types(told: dict[str, Any]) -> str:
        rows = ["| type | what has happened | data |", "|---|---|---|"]
        for channel in told["channels"].values():
            if channel["tags"][0]["name"] == tag:
                for name in channel["messages"]:
                    message = told["components"]["messages"][name]
                    rows.append(f"| `{name}` | {message['summary']} | {_data(message['payload'], told)} |")
        return "\n".join([*rows, ""])

    return types


def _data(payload: dict[str, Any], told: dict[str, Any]) -> str:
    if "$ref" not in payload:
        return "–"
    schema = told["components"]["schemas"][payload["$ref"].removeprefix(_SCHEMAS)]
    optional = set(schema["properties"]) - set(schema["required"])
    return ", ".join(
        f"`{name}`{' (optional)' if name in optional else ''}: {_kind(part)}"
        for name, part in schema["properties"].items()
    )


def _objects(told: dict[str, Any]) -> str:
    pieces: list[str] = []
    for name, schema in told["components"]["schemas"].items():
        if name.startswith(_OBJECTS):
            pieces += [f"### {_title(name)}", "", schema["description"], ""]
            pieces += ["| field | type | what it is |", "|---|---|---|", *_fields(schema), ""]
    return "\n".join(pieces)


def _fields(schema: dict[str, Any], within: str = "") -> Iterator[str]:
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        optional = "" if name in required else ", optional"
        yield f"| `{within}{name}` | {_kind(part)}{optional} | {part.get('description', '')}{_words(part)} |"
        yield from _fields(part, f"{within}{name}.")
        if isinstance(part.get("items"), dict):
            yield from _fields(part["items"], f"{within}{name}[].")


def _kind(part: dict[str, Any]) -> str:
    for each in (part, *part.get("allOf", ())):
        if "$ref" in each:
            return _link(each["$ref"])
    nullable = [each for each in part.get("anyOf", ()) if "$ref" in each]
    if nullable:
        return f"{_link(nullable[0]['$ref'])} or null"
    if "const" in part:
        return f"`{part['const']}`"
    given = part.get("type", "anything")
    names = [given] if isinstance(given, str) else given
    if "array" in names and isinstance(part.get("items"), dict):
        names = [f"list of {_kind(part['items'])}" if each == "array" else each for each in names]
    return " or ".join(names)


def _words(part: dict[str, Any]) -> str:
    words = part.get("x-extensible-enum", ())
    return f" One of {', '.join(f'`{word}`' for word in words)}." if words else ""


def _link(reference: str) -> str:
    title = _title(reference.removeprefix(_SCHEMAS))
    return f"[{title}](#{title.replace(' ', '-')})"


def _title(name: str) -> str:
    # There is one major of each so far; a second one gets its number into the title.
    kind, _, major = name.removeprefix(_OBJECTS).rpartition(".")
    return kind.replace("-", " ") if major == "v1" else f"{kind.replace('-', ' ')} {major}"


PARTS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "topics": _topics,
    "headers": _headers,
    "public types": _types("public"),
    "objects": _objects,
    "internal types": _types("internal"),
}


def guide(told: dict[str, Any]) -> GuideParts:
    """Return the guide, as a document says it."""
    return GuideParts("events.md", "events", lambda name: PARTS[name](told))


if __name__ == "__main__":
    guide(document()).write()
