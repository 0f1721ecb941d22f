"""Pages of short lists mean what pages of tables mean."""

from itertools import product

import pytest
from engine_world import World, new_id
from run_engine.domain.drafts import NewAssistant, Page, PageRequest
from run_engine.domain.objects import Assistant
from run_engine.domain.short_lists import page_of
from run_engine.errors import NotFound
from run_engine.store.assistants import Assistants


async def test_every_page_is_the_one_that_a_table_gives(world: World) -> None:
    store = Assistants(world.database)
    made = [await store.create(world.tenant, NewAssistant(id=new_id("assistant"), model="demo")) for _ in range(5)]
    (own,) = [each for each in (await store.list(world.tenant, PageRequest(order="asc"))).items if each not in made]
    everything = [own, *made]
    cursors = [None, *(each.id for each in everything)]
    for order, limit, after, before in product(("asc", "desc"), (1, 2, 6), cursors, cursors):
        request = PageRequest(limit=limit, order=order, after=after, before=before)
        theirs: Page[Assistant] = await store.list(world.tenant, request)
        ours = page_of(everything, request, kind="assistant", id_of=lambda each: each.id)
        assert (list(ours.items), ours.has_more) == (list(theirs.items), theirs.has_more), request


@pytest.mark.parametrize("cursor", [{"after": "x"}, {"before": "x"}])
def test_a_cursor_that_names_nothing_is_refused(cursor: dict[str, str]) -> None:
    with pytest.raises(NotFound, match="No file found with id 'x'"):
        page_of(["a"], PageRequest(**cursor), kind="file", id_of=str)
