"""Where two schemas, each with the components it refers to, do not say the same. Used to hold the document that the
server describes itself with to the field facts of the API.

Compared are required keys, the names of members, words that a value may be, limits, and types. Members of unions are
found by their `type`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_LIMITS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")


class Side:
    """The components of one document."""

    def __init__(self, document: Schema) -> None:
        self._schemas = document["components"]["schemas"]

    def named(self, name: str) -> Schema:
        return self.plain(self._schemas[name])

    def plain(self, schema: Schema) -> Schema:
        """The schema without references, and without what allows null."""
        if "$ref" in schema:
            return self.plain(self._schemas[schema["$ref"].rpartition("/")[2]])
        for word in ("anyOf", "oneOf", "allOf"):
            parts = [part for part in schema.get(word, ()) if part not in ({"type": "null"}, {"nullable": True})]
            if word in schema and len(parts) == 1:
                return self.plain(parts[0])
        return schema

    def variants(self, schema: Schema) -> dict[str, Schema]:
        """The members of a union by what tells them apart: the word of their `type`, or what they are."""
        if "properties" in schema:
            return dict.fromkeys(_words(schema["properties"].get("type", {})) or ["object"], schema)
        members = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        if not members:
            return {schema.get("type", "anything"): schema}
        found: dict[str, Schema] = {}
        for member in members:
            found |= self.variants(self.plain(member))
        found.pop("null", None)
        return found


def differences(ours: Side, theirs: Side, our: Schema, their: Schema, path: str, *, reply: bool) -> Iterator[str]:
    """Tell each, with the path to it. A reply may say more than theirs, and of the optional less; a request not."""
    our_kinds, their_kinds = ours.variants(ours.plain(our)), theirs.variants(theirs.plain(their))
    for kind in sorted(our_kinds.keys() ^ their_kinds.keys()):
        yield f"{path}: {'only ours' if kind in our_kinds else 'only theirs'} may be {kind}"
    pairs = {kind: (our_kinds[kind], their_kinds[kind]) for kind in sorted(our_kinds.keys() & their_kinds.keys())}
    alike = all(pair == next(iter(pairs.values())) for pair in pairs.values())
    for kind, (our_kind, their_kind) in pairs.items():
        yield from _of_one(ours, theirs, our_kind, their_kind, path if alike else f"{path}<{kind}>", reply=reply)
        if alike:
            return


def _of_one(ours: Side, theirs: Side, our: Schema, their: Schema, path: str, *, reply: bool) -> Iterator[str]:
    our_words, their_words = set(_words(our)), set(_words(their))
    if our_words != their_words and (our_words and their_words):
        yield f"{path}: words {sorted(our_words ^ their_words)}"
    for limit in _LIMITS:
        if limit in their and our.get(limit) != their[limit] and not reply:
            yield f"{path}: {limit} {our.get(limit)}, theirs {their[limit]}"
    if "items" in our and "items" in their:
        yield from differences(ours, theirs, our["items"], their["items"], f"{path}[]", reply=reply)
    our_members, their_members = our.get("properties", {}), their.get("properties", {})
    if not our_members or not their_members:
        return
    our_required, their_required = set(our.get("required", ())), set(their.get("required", ()))
    for name in sorted(their_required - our_required):
        yield f"{path}.{name}: only theirs is required"
    for name in sorted(their_members.keys() - our_members.keys()):
        yield f"{path}.{name}: is not ours"
    if not reply:
        for name in sorted(our_required - their_required):
            yield f"{path}.{name}: only ours is required"
        for name in sorted(our_members.keys() - their_members.keys()):
            yield f"{path}.{name}: is not theirs"
    # Which words a `type` may be has been seen already: it tells members of unions apart.
    for name in sorted((our_members.keys() & their_members.keys()) - {"type"}):
        inner = f"{path}.{name}"
        yield from differences(ours, theirs, our_members[name], their_members[name], inner, reply=reply)


def _words(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else [word for word in schema.get("enum", ()) if word is not None]
