"""Other renderings of an object's number than `ids`, for the dialects whose ids look otherwise. Pure.

The number is the same in all of them, so an object has one id in each dialect, and each can be read back without a
table. Ids that render no number (imported ones, and the demo's) get one that is made of their text; `store.aliases`
remembers which.
"""

from typing import Final
from uuid import UUID, uuid5

from run_engine.domain import ids

SHORT_LENGTH: Final = 22
_SPACE: Final = 62**SHORT_LENGTH
# As in `ids`: any number coprime to 62 of the size of the space would do, and it can never change.
_FACTOR: Final = 1_618_033_988_749_894_848_204_586_834_365_638_117_721
_INVERSE: Final = pow(_FACTOR, -1, _SPACE)
# The namespace of the numbers that stand for ids without one. It can never change either.
_ALIASES: Final = UUID("5d3c1c39-8f1b-4a52-9d0e-6d8f2f6a7b10")


def short(number: UUID) -> str:
    """The number as 22 base62 characters, without a prefix."""
    value = number.int * _FACTOR % _SPACE
    digits = []
    for _ in range(SHORT_LENGTH):
        value, digit = divmod(value, 62)
        digits.append(ids.ALPHABET[digit])
    digits.reverse()
    return "".join(digits)


def read_short(text: str) -> UUID | None:
    """The number behind 22 characters; None where the text is not one that `short` made."""
    if len(text) != SHORT_LENGTH:
        return None
    value = 0
    for character in text:
        digit = ids.digit(character)
        if digit is None:
            return None
        value = value * 62 + digit
    number = value * _INVERSE % _SPACE
    return UUID(int=number) if number < 1 << 128 else None


def number_of(kind: str, object_id: str) -> UUID | None:
    """The number that an id renders; None for an id that needs an alias.

    An id that renders a number which looks like an alias needs one as well: nobody can make an id that is taken for
    another one.
    """
    number = ids.read(kind, object_id)
    return None if number is None or is_alias(number) else number


def alias_number(tenant_id: str, kind: str, object_id: str) -> UUID:
    """The number that stands for an id which renders none; the same one whenever it is asked for."""
    # Lengths keep two different triples from being the same text.
    return uuid5(_ALIASES, f"{len(tenant_id)}.{len(kind)}.{tenant_id}{kind}{object_id}")


def is_alias(number: UUID) -> bool:
    """Whether a number is of the form that `alias_number` makes. Numbers of our own ids are UUIDv4."""
    return number.version == 5
