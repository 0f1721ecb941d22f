"""API keys: how one is made, and the only form in which it is stored."""

import hashlib
from typing import Final

PREFIX: Final = "sk-threadworks-"
SCOPES: Final = ("all", "api", "events", "admin")
"""What a key may do: everything, the API, reading the event feed, importing and administering."""


def new_key(random_bytes: bytes) -> str:
    """A key from 32 random bytes, to be shown once."""
    if len(random_bytes) != 32:
        raise ValueError("a key is made of 32 random bytes")
    return PREFIX + random_bytes.hex()


def digest(key: str) -> bytes:
    """What is stored of a key. Keys are random, so nothing slower than SHA-256 is needed."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
