"""Ids that render no number have one all the same, and come back from it."""

import asyncio

import pytest
from engine_world import World, new_id
from run_engine.domain import ids, renderings
from run_engine.store.aliases import Aliases

IMPORTED = ["thread_abc", "thread_00000000000000000000000z", "ümläut", "thread_" + "z" * 24, ""]


async def test_ids_of_ours_cost_nothing(world: World) -> None:
    thread_id = new_id("thread")
    number = await world.gateway.aliases.number(world.tenant, "thread", thread_id)
    assert number == ids.read("thread", thread_id)
    assert await world.gateway.aliases.id_of(world.tenant, "thread", number) == thread_id
    assert await world.sql("SELECT FROM id_aliases WHERE tenant_id = $1", world.tenant) == []


@pytest.mark.parametrize("imported", IMPORTED)
async def test_an_imported_id_comes_back_in_every_process(world: World, imported: str) -> None:
    number = await world.gateway.aliases.number(world.tenant, "thread", imported)
    other = Aliases(world.database)
    assert await other.id_of(world.tenant, "thread", number) == imported
    assert await other.number(world.tenant, "thread", imported) == number


async def test_a_page_of_ids_is_one_statement_and_is_remembered(world: World) -> None:
    ours = new_id("thread")
    aliases = Aliases(world.database)
    numbers = await aliases.numbers(world.tenant, "thread", [*IMPORTED, ours, IMPORTED[0]])
    assert set(numbers) == {*IMPORTED, ours}
    assert {key: await aliases.id_of(world.tenant, "thread", number) for key, number in numbers.items()} == {
        key: key for key in numbers
    }
    await world.sql("DELETE FROM id_aliases WHERE tenant_id = $1", world.tenant)
    assert await aliases.numbers(world.tenant, "thread", IMPORTED) == {each: numbers[each] for each in IMPORTED}
    assert await world.sql("SELECT FROM id_aliases WHERE tenant_id = $1", world.tenant) == []


async def test_what_was_rolled_back_is_not_remembered(world: World) -> None:
    aliases = Aliases(world.database)

    async def given_up() -> None:
        async with world.database.unit_of_work():
            await aliases.number(world.tenant, "thread", "thread_abc")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await given_up()
    number = await aliases.number(world.tenant, "thread", "thread_abc")
    assert await aliases.id_of(world.tenant, "thread", number) == "thread_abc"


async def test_many_may_ask_for_the_same_ids_at_once(world: World) -> None:
    many = [Aliases(world.database) for _ in range(8)]
    orders = [IMPORTED if place % 2 else IMPORTED[::-1] for place in range(8)]
    found = await asyncio.gather(
        *(each.numbers(world.tenant, "thread", order) for each, order in zip(many, orders, strict=True))
    )
    assert all(numbers == found[0] for numbers in found)


async def test_a_number_that_stands_for_nothing_is_an_id_that_nothing_has(world: World) -> None:
    for tenant, kind in ((world.tenant, "run"), ("another tenant", "thread")):
        number = renderings.alias_number(tenant, kind, "thread_abc")
        await world.gateway.aliases.number(world.tenant, "thread", "thread_abc")
        assert await world.gateway.aliases.id_of(world.tenant, "thread", number) == ids.render("thread", number)


async def test_a_forged_id_does_not_stand_for_another(world: World) -> None:
    aliases = world.gateway.aliases
    number = await aliases.number(world.tenant, "thread", "thread_abc")
    forged = ids.render("thread", number)
    assert await aliases.number(world.tenant, "thread", forged) != number
    assert await aliases.id_of(world.tenant, "thread", number) == "thread_abc"


async def test_what_is_remembered_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("run_engine.store.aliases.REMEMBERED", 3)
    aliases = Aliases(world.database)
    for place in range(10):
        number = await aliases.number(world.tenant, "thread", f"thread_{place}")
        assert await aliases.number(world.tenant, "thread", f"thread_{place}") == number
    await world.sql("DELETE FROM id_aliases WHERE tenant_id = $1", world.tenant)
    await aliases.numbers(world.tenant, "thread", [f"thread_{place}" for place in range(10)])
    stored = await world.sql("SELECT FROM id_aliases WHERE tenant_id = $1", world.tenant)
    assert 7 <= len(stored) <= 10
