"""What may change inside a released major, and what may not. Called by `check` and `release`.

Both sides validate: producers before they write, consumers after they read, each with the version it was built with.
So a released message type may only gain optional fields and words of an extensible vocabulary. A tighter rule refuses
messages that older producers send; a looser one lets new producers send what older consumers refuse; either needs a
new major. Titles, descriptions and the way schemas are cut into files are free.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from message_contracts.resolution import AT_LEAST, AT_MOST, ONE_SCHEMA, resolve
from message_contracts.schemas import Schema, SchemaSet


def breaking_changes(released: SchemaSet, current: SchemaSet) -> Iterator[str]:
    """One line for each change of a released message type that needs a new major; nothing when there is none."""
    for type_, schema in released.messages.items():
        now = current.messages.get(type_)
        if now is None:
            yield f"{type_}: removed; a released major stays while anyone may read it"
            continue
        before = resolve(schema, released.definitions)
        for line in compare(before, resolve(now, current.definitions)):
            yield f"{type_} {line}"


def compare(before: Schema, now: Schema, path: str = "") -> Iterator[str]:
    """Compare two resolved schemas of the same value; each line starts with the place, e.g. `/run/status: …`."""
    place = path or "/"
    for keyword in sorted({*before, *now}):
        old, new = before.get(keyword), now.get(keyword)
        if old == new:
            continue
        match keyword:
            case "properties":
                yield from _properties(before, now, path)
            case "required":
                yield from _required(before, now, place)
            case "type":
                yield f"{place}: type was {_words(old)}, now {_words(new)}"
            case "enum" | "x-extensible-enum":
                yield from _vocabulary(keyword, old, new, place)
            case "additionalProperties" if new is False:
                yield f"{place}: object closed; fields a consumer does not know must stay allowed"
            case "anyOf" | "oneOf" | "prefixItems":
                yield from _alternatives(keyword, old, new, path)
            case _ if keyword in AT_LEAST or keyword in AT_MOST:
                yield f"{place}: {_bound(keyword, old, new)}"
            case _ if keyword in ONE_SCHEMA and isinstance(old, dict) and isinstance(new, dict):
                yield from compare(old, new, f"{path}/{keyword}")
            case _:
                yield f"{place}: {keyword} {_what_happened(before, now, keyword)}"


def _properties(before: Schema, now: Schema, path: str) -> Iterator[str]:
    old, new = before.get("properties", {}), now.get("properties", {})
    for name, part in old.items():
        if name in new:
            yield from compare(part, new[name], f"{path}/{name}")
        else:
            yield f"{path}/{name}: field removed"
    if "additionalProperties" in before:
        for name in new:
            if name not in old:
                yield f"{path}/{name}: field added where older consumers expect additionalProperties"


def _required(before: Schema, now: Schema, place: str) -> Iterator[str]:
    old, new = before.get("required", []), now.get("required", [])
    removed = before.get("properties", {}).keys() - now.get("properties", {}).keys()
    for name in new:
        if name not in old:
            yield f"{place}: {name} is newly required; older producers do not send it"
    for name in old:
        if name not in new and name not in removed:
            yield f"{place}: {name} is no longer required; older consumers rely on it"


def _vocabulary(keyword: str, old: list[Any] | None, new: list[Any] | None, place: str) -> Iterator[str]:
    if old is None or new is None:
        yield f"{place}: {keyword} {'added' if old is None else 'removed'}"
        return
    gone = [word for word in old if word not in new]
    if gone:
        yield f"{place}: {keyword} narrowed, without {_words(gone)}"
    if keyword == "enum" and any(word not in old for word in new):
        yield f"{place}: enum grew; older consumers refuse the new words (x-extensible-enum may grow)"


def _alternatives(keyword: str, old: Any, new: Any, path: str) -> Iterator[str]:
    # One list of branches for each part that had the keyword; branches are compared in order.
    if old is None or new is None or [len(group) for group in old] != [len(group) for group in new]:
        yield f"{path or '/'}: {keyword} has other branches than before"
        return
    for old_group, new_group in zip(old, new, strict=True):
        for old_branch, new_branch in zip(old_group, new_group, strict=True):
            yield from compare(old_branch, new_branch, path)


def _bound(keyword: str, old: Any, new: Any) -> str:
    tighter = old is None or (new is not None and (new > old if keyword in AT_LEAST else new < old))
    who = "older producers may send more" if tighter else "older consumers refuse what is new"
    shown_old, shown_new = ("none" if value is None else value for value in (old, new))
    return f"{keyword} {'tightened' if tighter else 'loosened'} from {shown_old} to {shown_new}; {who}"


def _what_happened(before: Schema, now: Schema, keyword: str) -> str:
    if keyword not in before:
        return f"added: {now[keyword]}"
    return f"changed from {before[keyword]} to {now[keyword]}" if keyword in now else f"removed: {before[keyword]}"


def _words(values: list[Any] | None) -> str:
    return "anything" if values is None else ", ".join(str(value) for value in values)
