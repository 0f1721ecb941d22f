"""Masks credentials in log events: the last line of defence, behind code that does not log them in the first place.

`logging_setup` runs `redact_event` on every event, whichever logger it came from. Three kinds are recognised: fields
and text pairs whose name says what they hold (`Authorization`, `wstoken`, …), text that looks like an API key (`sk-…`)
or a bearer token, and values that were handed to `register_secret` or `masked_meanwhile` because nothing in their form
gives them away.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import date, time
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

MASK = "***"

# Shorter values would mask ordinary words ("demo", "test") all over the log.
SHORTEST_SECRET = 6

# Objects nested deeper than this are written as text, which also ends reference cycles.
_DEEPEST = 8

# Before the name "_" and "-" are allowed (moodle_token, x-api-key), letters are not (invalidtoken is an error code).
_NAME = (
    r"(?<![A-Za-z0-9])"
    r"(?:authorization|wstoken|private_?token|token|tool[-_]?credentials?|api[-_]?key|password|passwd|client[-_]secret|set-cookie|cookie)"
)
_SENSITIVE_NAME = re.compile(_NAME + r"$", re.IGNORECASE)

# What stands between a name and its value: name=value, "name": "value", (b'name', b'value').
_BETWEEN = r"(?:\\*[\"']?\s*[=:]\s*|\\*[\"']\s*,\s*)(?:b(?=\\*[\"']))?"
_QUOTED_OR_WORD = r"(?:\\*\"[^\"]*|\\*'[^']*|(?:(?:bearer|basic)\s+)?[^\s\"'&,;\\]+)"

# One pattern, one pass: a named value, Bearer …, sk-….
_SUSPICIOUS = re.compile(
    rf"(?P<label>{_NAME}{_BETWEEN})(?P<value>{_QUOTED_OR_WORD})"
    r"|(?P<scheme>\bbearer\s+)[A-Za-z0-9._~+/=-]{6,}"
    r"|(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{6,}",
    re.IGNORECASE,
)


class _RegisteredSecrets:
    """The values given to `register_secret`, compiled to one pattern. One for the process, like logging itself.

    Those of `masked_meanwhile` come and go with calls, so they are looked for one by one.
    """

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._passing: Counter[str] = Counter()

    def add(self, value: str) -> None:
        self._values |= _written(value)
        # The longest first: a secret that begins with another one is masked whole.
        alternatives = sorted(self._values, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(each) for each in alternatives))

    def come(self, value: str) -> None:
        self._passing.update(_written(value))

    def go(self, value: str) -> None:
        for written in _written(value):
            self._passing[written] -= 1
            if not self._passing[written]:
                del self._passing[written]

    def mask_in(self, text: str) -> str:
        masked = text if self._pattern is None else self._pattern.sub(MASK, text)
        # The longest first, as above.
        for value in sorted(self._passing, key=len, reverse=True):
            masked = masked.replace(value, MASK)
        return masked


def _written(value: str) -> set[str]:
    return {value, quote(value, safe=""), quote_plus(value)}


_registered = _RegisteredSecrets()


def register_secret(value: str) -> None:
    """From now on, mask `value` (also in its URL-encoded forms) in every log line of this process.

    Values shorter than six characters are ignored: masking them would garble the log and protect nothing.
    """
    if len(value) >= SHORTEST_SECRET:
        _registered.add(value)


@contextmanager
def masked_meanwhile(value: str) -> Iterator[None]:
    """Mask `value` like a registered secret while the block runs: for secrets of users, of which there is no end.

    Short values are ignored here, too.
    """
    if len(value) < SHORTEST_SECRET:
        yield
        return
    _registered.come(value)
    try:
        yield
    finally:
        _registered.go(value)


def _mask_match(match: re.Match[str]) -> str:
    if match["label"] is not None:
        value = match["value"].lstrip("\\\"'")
        return match["label"] + (_mask_key(value) if value.startswith("sk-") else MASK)
    if match["scheme"] is not None:
        return match["scheme"] + MASK
    return _mask_key(match[0])


def _mask_key(key: str) -> str:
    """`sk-…abcd`: enough to tell two keys apart, and only where enough stays hidden."""
    return f"sk-…{key[-4:]}" if len(key) >= 16 else "sk-…"


def redact_text(text: str) -> str:
    """Return `text` with everything masked that looks like a credential or is a registered one."""
    return _registered.mask_in(_SUSPICIOUS.sub(_mask_match, text))


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: return the event with credentials masked, at every depth, in keys and values."""
    return _redact_mapping(event, 0)


def _redact_mapping(values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    redacted: dict[str, Any] = {}
    for key, value in values.items():
        name = key if isinstance(key, str) else _as_text(key)
        redacted[redact_text(name)] = MASK if _SENSITIVE_NAME.search(name) else _redact_value(value, depth + 1)
    return redacted


def _redact_value(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, bool | int | float | date | time | UUID):
        return value
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return _redact_mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return _redact_items(list(value), depth)
    return redact_text(_as_text(value))


def _redact_items(items: list[Any], depth: int) -> list[Any]:
    # Headers travel as pairs, ("Authorization", "Bearer …"), where the first item names the second.
    if len(items) == 2 and isinstance(items[0], str | bytes) and _SENSITIVE_NAME.search(_as_text(items[0])):
        return [_as_text(items[0]), MASK]
    return [_redact_value(item, depth + 1) for item in items]


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace")
    return repr(value)
