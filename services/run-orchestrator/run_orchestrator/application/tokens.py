"""How many tokens texts, functions and images are, by the rules that are known of OpenAI's chat format.

Used by `fitting`. Exact for texts; what the format adds to a message is as OpenAI's cookbook counts it, what it adds to
calls and to the definitions of functions is an estimate from the field, within a few per cent of what the API reports.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final, Protocol

import orjson
from run_engine.domain.objects import Json, Message

from run_orchestrator.application.model_facts import ModelFacts
from run_orchestrator.application.prompt import written_calls
from run_orchestrator.application.tool_notes import BEFORE_AN_OUTPUT

OF_A_MESSAGE: Final = 4
"""The separators around a message, and its role."""
OF_THE_ANSWER: Final = 3
"""With which the model begins to answer."""
OF_A_CALL: Final = 8
"""What stands around the name and the arguments of a call."""
OF_A_FUNCTION: Final = 7
OF_A_PROPERTY: Final = 3
OF_ALL_FUNCTIONS: Final = 12

PIECE: Final = 100_000
"""Characters that are counted at a stretch: 2–4 ms. A cut costs a token at the most."""
REMEMBERED_FROM: Final = 200
"""Characters from which on a count is worth remembering; a shorter text is counted in no more time than it is found."""
REMEMBERED: Final = 20_000
"""Counts that are remembered: about 3 MB, and most of the messages of the threads that are talked in just now."""
DEEPEST: Final = 16
"""How deep a schema is walked. What lies deeper counts as its JSON."""
_CHOICES: Final = ("anyOf", "oneOf", "allOf")


class Tokenizer(Protocol):
    """Counts the tokens of a text."""

    def count(self, text: str) -> int:
        """The number of tokens; takes time in proportion to the text."""
        ...


class TokenCounter:
    """Counts texts of any length without holding up the event loop, and remembers what it has counted.

    Counts are remembered by hash and length of the text, not by message: an import may change a message.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._without_a_pause = 0

    async def text(self, text: str, *, enough: float = float("inf")) -> int:
        """The tokens of a text; once they are more than `enough`, whatever they are by then."""
        if len(text) < REMEMBERED_FROM:
            return await self._piece(text)
        key = hash(text), len(text)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        total = 0
        for start in range(0, len(text), PIECE):
            total += await self._piece(text[start : start + PIECE])
            if total > enough:
                return total
        self._remember(key, total)
        return total

    async def functions(self, tools: Iterable[Json]) -> int:
        """The tokens of the definitions of function tools."""
        total = 0
        for tool in tools:
            raw = orjson.dumps(tool)
            key = hash(raw), -len(raw)
            known = self._known.get(key)
            if known is None:
                known = OF_A_FUNCTION + await self._function(tool.get("function") or {})
                self._remember(key, known)
            total += known
        return total + OF_ALL_FUNCTIONS if total else 0

    async def message(self, message: Message, facts: ModelFacts, *, enough: float = float("inf")) -> int:
        """The tokens of a message of a thread; `enough` as in `text`. A tool's counts as if it were a note."""
        total = OF_A_MESSAGE
        if message.role == "tool":
            total += await self.text(BEFORE_AN_OUTPUT)
        for call in written_calls(message):
            total += OF_A_CALL + await self.text(call.name) + await self.text(call.arguments, enough=enough - total)
        for part in message.content:
            match part:
                case {"type": "text", "text": {"value": str(value)}} | {"type": "refusal", "refusal": str(value)}:
                    total += await self.text(value, enough=enough - total)
                case {"image_url": {"detail": "low"}} | {"image_file": {"detail": "low"}}:
                    total += facts.small_image
                case _:
                    total += facts.image
        return total

    async def _function(self, function: Json) -> int:
        line = f"{function.get('name')}:{str(function.get('description') or '').removesuffix('.')}"
        return await self.text(line) + await self._properties(function.get("parameters"), DEEPEST)

    async def _properties(self, schema: Any, depth: int) -> int:
        """The tokens of all properties in a JSON Schema, which may be anything that its client sent."""
        if not isinstance(schema, dict):
            return 0
        if not depth:
            return await self.text(orjson.dumps(schema).decode())
        properties = _dict(schema.get("properties"))
        total = OF_A_PROPERTY if properties else 0
        for name, about in (*properties.items(), *_dict(schema.get("$defs")).items()):
            total += await self._property(name, about, depth)
        for inner in (schema.get("items"), *(each for word in _CHOICES for each in _list(schema.get(word)))):
            total += await self._properties(inner, depth - 1)
        return total

    async def _property(self, name: str, about: Any, depth: int) -> int:
        facts = _dict(about)
        kinds = facts.get("type")
        kind = " | ".join(map(str, kinds)) if isinstance(kinds, list) else str(kinds or "")
        described = str(facts.get("description") or "").removesuffix(".")
        total = OF_A_PROPERTY + await self.text(f"{name}:{kind}:{described}")
        choices = _list(facts.get("enum"))
        for choice in choices:
            total += OF_A_PROPERTY + await self.text(str(choice))
        if choices:
            total -= OF_A_PROPERTY
        return total + await self._properties(about, depth - 1)

    async def _piece(self, text: str) -> int:
        self._without_a_pause += len(text)
        if self._without_a_pause > PIECE:
            self._without_a_pause = len(text)
            await asyncio.sleep(0)
        return self._tokenizer.count(text)

    def _remember(self, key: tuple[int, int], tokens: int) -> None:
        self._known[key] = tokens
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
