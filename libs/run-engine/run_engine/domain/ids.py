"""Ids as OpenAI shows them: a prefix and 24 base62 characters that render one 128-bit number.

The number is a UUIDv4. It is multiplied modulo 62**24 by a constant coprime to 62, so that ids look alike whatever the
number's size, and can be read back. Other dialects render the same number in their own form.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH: Final = 24
_SPACE: Final = 62**LENGTH
# Any number coprime to 62 (odd and not a multiple of 31) of the size of the space would do. It can never change:
# ids that were given out are read back with it.
_FACTOR: Final = 7_129_460_284_951_336_127_845_902_316_748_501_934_267_211
_INVERSE: Final = pow(_FACTOR, -1, _SPACE)
_DIGITS: Final[Mapping[str, int]] = MappingProxyType({character: value for value, character in enumerate(ALPHABET)})
# Two digits at a time halve the divisions of a 143-bit number.
_PAIRS: Final = tuple(high + low for high in ALPHABET for low in ALPHABET)

PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "assistant": "asst_",
        "thread": "thread_",
        "message": "msg_",
        "run": "run_",
        "step": "step_",
        "tool_call": "call_",
        "file": "file-",
        "user": "user_",
        "tool": "tool_",
    }
)


def render(kind: str, number: UUID) -> str:
    """The id of `number` as an object of `kind` (a key of `PREFIXES`), for example `run_5x…` of 24 characters."""
    value = number.int * _FACTOR % _SPACE
    pairs = []
    for _ in range(LENGTH // 2):
        value, pair = divmod(value, 3844)
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return PREFIXES[kind] + "".join(pairs)


def digit(character: str) -> int | None:
    """The value of a base62 digit; None where the character is none."""
    return _DIGITS.get(character)


def read(kind: str, text: str) -> UUID | None:
    """The number behind an id; None where the text is not one that `render` made (an imported id, or the demo's)."""
    prefix = PREFIXES[kind]
    body = text.removeprefix(prefix)
    if len(body) != LENGTH or not text.startswith(prefix):
        return None
    value = 0
    for character in body:
        digit = _DIGITS.get(character)
        if digit is None:
            return None
        value = value * 62 + digit
    number = value * _INVERSE % _SPACE
    return UUID(int=number) if number < 1 << 128 else None
