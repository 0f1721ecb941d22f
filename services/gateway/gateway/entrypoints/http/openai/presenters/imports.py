"""What an import tells its client: how many objects were stored, or which of them stand in the way of all."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.entrypoints.http.exchange import Reply
from gateway.entrypoints.http.openai.refusals import Refusal, clip

WORDS: Final[Mapping[str, str]] = {
    "assistant": "assistant",
    "file": "file",
    "thread": "thread",
    "message": "thread.message",
    "run": "thread.run",
    "run step": "thread.run.step",
}
"""The API's words for the engine's kinds."""
MORE_WORDS: Final[Mapping[str, str]] = {"user": "user", "tool": "tool"}
"""Those that OpenAI's API has no word for: they are counted where there were any."""


@dataclass(frozen=True, slots=True)
class RefusedObject:
    """One object that cannot be imported; `given` is what came in its place."""

    index: int
    given: Any
    refusal: Refusal

    def shown(self) -> dict[str, Any]:
        """Return it as the report shows it. Id and kind are null where the object has none."""
        given = self.given if isinstance(self.given, dict) else {}
        named = {name: given.get(name) for name in ("id", "object")}
        names = {name: clip(value) if isinstance(value, str) else None for name, value in named.items()}
        refusal = self.refusal
        error = {"message": refusal.message, "param": refusal.param, "code": refusal.code}
        return {"index": self.index, **names, "error": error}


def report(
    counts: Mapping[str, int], refused: Sequence[RefusedObject], ignored: Mapping[str, AbstractSet[str]]
) -> dict[str, Any]:
    """Return the report. `counts` is by the engine's kinds; `ignored` are fields that nobody here knows, by kind."""
    return {
        "object": "import",
        "imported": {word: counts.get(kind, 0) for kind, word in WORDS.items()}
        | {word: counts[kind] for kind, word in MORE_WORDS.items() if counts.get(kind)},
        "refused": [each.shown() for each in refused],
        "ignored_fields": {kind: sorted(clip(name) for name in names) for kind, names in sorted(ignored.items())},
    }


class ImportRefusal(Refusal):
    """An import of which nothing was stored: the usual envelope for clients that look for it, with the report."""

    def __init__(self, refused: Sequence[RefusedObject], total: int, ignored: Mapping[str, AbstractSet[str]]) -> None:
        first = refused[0]
        reason = first.refusal
        place = f"objects[{first.index}]"
        super().__init__(
            400,
            f"Nothing was imported: {len(refused)} of {total} objects were refused. The first is {place}: "
            f"{reason.message}",
            param=place if reason.param is None else f"{place}.{reason.param}",
            code="import_refused",
        )
        self._report = report({}, refused, ignored)

    def reply(self) -> Reply:
        """Return both."""
        envelope = super().reply()
        return envelope._replace(body=orjson.dumps(orjson.loads(envelope.body) | self._report))
