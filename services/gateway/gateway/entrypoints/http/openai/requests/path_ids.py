"""Ids that clients name: only what could be an id is looked up, so that no other text reaches the database."""

import re
from typing import Final

from run_engine.errors import NotFound

ID_PATTERN: Final = "[A-Za-z0-9_-]{1,64}"

_ID: Final = re.compile(ID_PATTERN)


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id, of this server or imported."""
    return _ID.fullmatch(text) is not None


def known_form(kind: str, text: str) -> str:
    """Return `text` if it may be the id of a `kind`; raises `NotFound` in the words for an unknown one otherwise."""
    if not is_id(text):
        raise NotFound(kind, text)
    return text
