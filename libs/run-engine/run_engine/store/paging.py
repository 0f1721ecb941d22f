"""Pages of a list by (created_at, position): from a page request to the bounds of a statement and back."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from run_engine.domain.drafts import Page, PageRequest
from run_engine.errors import NotFound
from run_engine.store.database import Row

Item = TypeVar("Item")
Place = tuple[datetime, int]

# Bounds that every row lies between: with them one statement serves all pages and always walks its index.
LOWEST: Final[Place] = (datetime(1, 1, 1, tzinfo=UTC), 0)
HIGHEST: Final[Place] = (datetime(9999, 1, 1, tzinfo=UTC), 2**63 - 1)


async def fetch_page(
    request: PageRequest,
    *,
    kind: str,
    place_of: Callable[[str], Awaitable[Row | None]],
    rows_between: Callable[[dict[str, Any]], Awaitable[Sequence[Row]]],
    build: Callable[[Row], Item],
) -> Page[Item]:
    """The page that `request` asks for. `before` alone gives the page that ends just before that object.

    `place_of` finds a cursor's (created_at, position), `rows_between` runs the list statement with bounds and gives
    rows in ascending order, with the number of `candidates` where the statement may leave some out. Raises `NotFound`
    (of `kind`) for a cursor that names nothing.
    """

    async def place(cursor: str | None, otherwise: Place) -> Place:
        if cursor is None:
            return otherwise
        row = await place_of(cursor)
        if row is None:
            raise NotFound(kind, cursor)
        return row["created_at"], row["position"]

    ascending = request.order == "asc"
    low_cursor, high_cursor = (request.after, request.before) if ascending else (request.before, request.after)
    low, high = await place(low_cursor, LOWEST), await place(high_cursor, HIGHEST)
    backwards = request.before is not None and request.after is None
    from_low_end = ascending is not backwards
    rows = list(
        await rows_between(
            {
                "ascending": from_low_end,
                "low_time": low[0],
                "low_position": low[1],
                "high_time": high[0],
                "high_position": high[1],
                "limit": request.limit + 1,
                "most_bytes": request.most_bytes,
            }
        )
    )
    # A statement that ends a page early, because it would be too many bytes, tells how many objects it would have had.
    candidates = rows[0].get("candidates", len(rows)) if rows else 0
    has_more = len(rows) > request.limit or candidates > len(rows)
    if len(rows) > request.limit:
        rows = rows[: request.limit] if from_low_end else rows[1:]
    if not ascending:
        rows.reverse()
    return Page(items=[build(row) for row in rows], has_more=has_more)
