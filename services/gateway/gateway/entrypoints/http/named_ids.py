"""The ids that a reply names, and their numbers, for the dialects that render them otherwise than `/v1`."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias
from uuid import UUID

from gateway.application.conversation_ports import IdNumbers

AS_IN_V1: Final = re.compile("[A-Za-z0-9_-]{1,64}")
"""What may be an id as `/v1` shows it."""

Named: TypeAlias = tuple[str, str | None]
"""A kind, as in the engine's `ids.PREFIXES`, and the engine's id of an object of that kind; None stands for none."""


async def numbers_of(numbers: IdNumbers, tenant_id: str, named: Iterable[Named]) -> Mapping[tuple[str, str], UUID]:
    """Return the numbers of these ids by kind and id, with one question for each kind. They have to be stored ones."""
    wanted: dict[str, dict[str, None]] = {}
    for kind, object_id in named:
        if object_id is not None:
            wanted.setdefault(kind, {})[object_id] = None
    found: dict[tuple[str, str], UUID] = {}
    for kind, object_ids in wanted.items():
        of_kind = await numbers.numbers(tenant_id, kind, list(object_ids))
        found.update({(kind, object_id): number for object_id, number in of_kind.items()})
    return found
