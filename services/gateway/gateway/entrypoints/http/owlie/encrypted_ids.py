"""Ids as this dialect shows them: encrypted, so that only who was given one can name what it stands for.

Tokens are Fernet's, of the id alone as the original made them: with the original's key its tokens go on being good. The
first key encrypts, and all decrypt, so a key is retired in two steps: a new one is put before it, and later it is left
out. A token says of what kind its id is, by the id's own prefix or, where an imported id has none, by a word before it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from run_engine.domain.ids import PREFIXES

Kind: TypeAlias = Literal["assistant", "thread"]

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,400}={0,2}", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_BETWEEN: Final = ":"
"""Between a kind and an id. No id has it."""
_PREFIXES: Final[Mapping[Kind, str]] = {"assistant": PREFIXES["assistant"], "thread": PREFIXES["thread"]}


class UnknownToken(Exception):
    """A token that stands for nothing here: it was not made with one of the keys, or for something else."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(f"no {kind} has this id")
        self.kind: Kind = kind


class EncryptedIds:
    """Encrypts and decrypts with `keys`, url-safe base64 of 32 bytes each. Raises ValueError for any other."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def token(self, kind: Kind, object_id: str) -> str:
        """Return a token for the id of a `kind`, another one each time."""
        shown = object_id if object_id.startswith(_PREFIXES[kind]) else f"{kind}{_BETWEEN}{object_id}"
        return self._fernet.encrypt(shown.encode("ascii")).decode("ascii")

    def id_of(self, kind: Kind, token: str) -> str:
        """Return the id that a token for a `kind` stands for. Raises `UnknownToken`."""
        if _TOKEN.fullmatch(token) is None:
            raise UnknownToken(kind)
        try:
            shown = self._fernet.decrypt(token).decode("ascii")
        except (InvalidToken, UnicodeDecodeError):
            raise UnknownToken(kind) from None
        named, between, rest = shown.partition(_BETWEEN)
        object_id = rest if between else shown
        right = named == kind if between else shown.startswith(_PREFIXES[kind])
        if not right or _ID.fullmatch(object_id) is None:
            raise UnknownToken(kind)
        return object_id
