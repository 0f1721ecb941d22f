"""What the simulator calls a token: four characters. Used for usage, pace, limits and the size of a stream's chunks.

Real tokenizers average about four characters of English a token, so the figures have a real model's order of magnitude
and no real model's exactness; and the cut can fall inside a word, as it does in real streams.
"""

from collections.abc import Iterable
from typing import Any

CHARACTERS_PER_TOKEN = 4

# The role and the separators of a message, which OpenAI's own formula counts as three to four.
TOKENS_PER_MESSAGE = 4


def count(text: str) -> int:
    """Return how many tokens `text` is: its length in code points divided by four, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def pieces(text: str) -> list[str]:
    """Split `text` into its tokens: `"".join(pieces(text)) == text` and `len(pieces(text)) == count(text)`."""
    return [text[start : start + CHARACTERS_PER_TOKEN] for start in range(0, len(text), CHARACTERS_PER_TOKEN)]


def count_prompt(messages: Iterable[dict[str, Any]], tools: Iterable[dict[str, Any]]) -> int:
    """Return the tokens of a prompt: all strings in the messages and the offered tools, plus four a message."""
    total = sum(TOKENS_PER_MESSAGE + _count_strings(message) for message in messages)
    return total + sum(_count_strings(tool) for tool in tools)


def _count_strings(value: Any) -> int:
    if isinstance(value, str):
        return count(value)
    if isinstance(value, dict):
        return sum(_count_strings(each) for key, each in value.items() if key != "role")
    if isinstance(value, list):
        return sum(_count_strings(each) for each in value)
    return 0
