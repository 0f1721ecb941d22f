"""Changes of metadata merge, for every kind of object; a pair goes with an empty value, all of them with null."""

import asyncio

import pytest
from engine_world import World
from run_engine.domain.metadata import MOST_PAIRS, merged
from run_engine.domain.objects import Metadata
from run_engine.errors import TooMuchMetadata

FULL = {str(number): "x" for number in range(MOST_PAIRS)}


@pytest.mark.parametrize(
    ("before", "given", "after"),
    [
        ({}, {"a": "1"}, {"a": "1"}),
        ({"a": "1"}, {"b": "2"}, {"a": "1", "b": "2"}),
        ({"a": "1"}, {"a": "2"}, {"a": "2"}),
        ({"a": "1"}, {}, {"a": "1"}),
        ({"a": "1"}, None, {}),
        ({"a": "1", "b": "2"}, {"a": ""}, {"b": "2"}),
        ({"a": "1"}, {"b": ""}, {"a": "1"}),
        ({"a": "", "b": ""}, {"b": "2"}, {"a": "", "b": "2"}),
        (FULL, {"0": "y"}, {**FULL, "0": "y"}),
        (FULL, {"0": "", "new": "y"}, {**{key: value for key, value in FULL.items() if key != "0"}, "new": "y"}),
    ],
)
def test_merging(before: Metadata, given: Metadata | None, after: Metadata) -> None:
    assert merged(before, given) == after


def test_what_is_left_has_its_limit() -> None:
    with pytest.raises(TooMuchMetadata) as refused:
        merged(FULL, {"one": "more", "another": "one"})
    assert (refused.value.most, refused.value.got) == (16, 18)


async def test_every_kind_of_object_merges(world: World) -> None:
    run = await world.start_run(metadata={"a": "1"})
    gateway, tenant, thread_id = world.gateway, world.tenant, run.thread_id
    (message,) = (await gateway.messages.latest(tenant, thread_id, 1))[:1]

    async def change(given: Metadata | None) -> list[Metadata]:
        return [
            (await gateway.assistants.modify(tenant, world.assistant_id, {"metadata": given})).metadata,
            (await gateway.threads.modify(tenant, thread_id, metadata=given)).metadata,
            (await gateway.messages.modify(tenant, thread_id, message.id, given)).metadata,
            (await gateway.runs.modify(tenant, thread_id, run.id, given)).metadata,
        ]

    assert await change({"a": "1"}) == [{"a": "1"}] * 4
    assert await change({"b": "2"}) == [{"a": "1", "b": "2"}] * 4
    assert await change({"a": ""}) == [{"b": "2"}] * 4
    assert await change(None) == [{}] * 4


async def test_changes_that_meet_are_all_kept(world: World) -> None:
    run = await world.start_run()
    gateway, tenant, thread_id = world.gateway, world.tenant, run.thread_id
    (message,) = await gateway.messages.latest(tenant, thread_id, 1)
    for number in range(MOST_PAIRS // 2):
        await asyncio.gather(
            *(
                change
                for given in ({f"a{number}": "1"}, {f"b{number}": "2"})
                for change in (
                    gateway.assistants.modify(tenant, world.assistant_id, {"metadata": given}),
                    gateway.threads.modify(tenant, thread_id, metadata=given),
                    gateway.messages.modify(tenant, thread_id, message.id, given),
                    gateway.runs.modify(tenant, thread_id, run.id, given),
                )
            )
        )
    expected = {f"{name}{number}": value for number in range(8) for name, value in (("a", "1"), ("b", "2"))}
    assert (await gateway.assistants.get(tenant, world.assistant_id)).metadata == expected
    assert (await gateway.threads.get(tenant, thread_id)).metadata == expected
    assert (await gateway.messages.get(tenant, thread_id, message.id)).metadata == expected
    assert (await world.read(run)).metadata == expected
