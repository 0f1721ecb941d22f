"""Pages of lists that are short enough to be in memory, with the meaning that `store.paging` gives those of tables."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from run_engine.domain.drafts import Page, PageRequest
from run_engine.errors import NotFound

Item = TypeVar("Item")


def page_of(items: Sequence[Item], request: PageRequest, *, kind: str, id_of: Callable[[Item], str]) -> Page[Item]:
    """The page that `request` asks for; `items` are all there are, oldest first, each id once.

    Raises `NotFound` (of `kind`) for a cursor that names none of them. `most_bytes` is not looked at.
    """
    places = {id_of(item): place for place, item in enumerate(items)}

    def place(cursor: str | None, otherwise: int) -> int:
        if cursor is None:
            return otherwise
        if cursor not in places:
            raise NotFound(kind, cursor)
        return places[cursor]

    ascending = request.order == "asc"
    low, high = (request.after, request.before) if ascending else (request.before, request.after)
    between = list(items[place(low, -1) + 1 : place(high, len(items))])
    backwards = request.before is not None and request.after is None
    from_low_end = ascending is not backwards
    shown = between[: request.limit] if from_low_end else between[-request.limit :]
    if not ascending:
        shown.reverse()
    return Page(items=shown, has_more=len(between) > request.limit)
