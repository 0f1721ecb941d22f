"""The statements of the SQL files by name, and how values become their arguments. Used by `database`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiosql
import orjson
from aiosql.adapters.asyncpg import AsyncPGAdapter

SQL_FOLDER: Final = Path(__file__).parent / "sql"
_NUL: Final = "\x00"
_REPLACEMENT: Final = "\ufffd"
_WRITERS: Final = frozenset({"owner", "worker"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One named statement: its text with $1, $2 … and the names of these parameters in order."""

    text: str
    parameters: tuple[str, ...]
    emits: bool = False
    """Whether it writes events, which have an owner, or runs: both belong to the trace of whoever asks for it."""

    def arguments(self, values: Mapping[str, Any]) -> Sequence[Any]:
        """The values of the parameters in order."""
        return [_storable(values[parameter]) for parameter in self.parameters]


def load_statements(folder: Path = SQL_FOLDER) -> dict[str, Statement]:
    """All statements of the SQL files in `folder` by name."""
    adapter: Any = AsyncPGAdapter()  # type: ignore[no-untyped-call]  # aiosql leaves its constructor untyped
    queries = aiosql.from_path(folder, lambda: adapter, mandatory_parameters=False)
    names: dict[str, list[str]] = defaultdict(list, adapter.var_sorted)
    return {
        name: _statement(getattr(queries, name).sql, tuple(names[name]))
        for name in queries.available_queries
        if not name.endswith("_cursor")
    }


def _statement(text: str, parameters: tuple[str, ...]) -> Statement:
    return Statement(text, parameters, emits=not _WRITERS.isdisjoint(parameters) or "INTO runs" in text)


def encode_json(value: Any) -> bytes:
    """A value as JSON that jsonb can hold."""
    encoded = orjson.dumps(value)
    # Clients and models send the character 0, which PostgreSQL's text cannot hold. The bytes may also be the text
    # \u0000 behind a backslash, so the value itself is searched.
    return orjson.dumps(_without_nul(value)) if rb"\u0000" in encoded else encoded


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_NUL, _REPLACEMENT) if _NUL in value else value
    if isinstance(value, list) and any(isinstance(item, str) and _NUL in item for item in value):
        return _without_nul(value)
    return value


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_NUL, _REPLACEMENT)
    if isinstance(value, Mapping):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nul(item) for item in value]
    return value
