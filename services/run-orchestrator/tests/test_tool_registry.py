"""Which service answers which function."""

import asyncio
import itertools

from run_orchestrator.application.tool_registry import ServerTool, ToolRegistry

ALL = frozenset({"moodle", "wiki", "other"})


def test_announced_functions_are_found_by_those_who_may_use_the_service() -> None:
    registry = ToolRegistry({"moodle"})
    registry.announce("moodle", {"f": 20.0})
    assert registry.find("f", ALL) == ServerTool("moodle", 20.0)
    assert registry.find("f", {"wiki"}) is None
    assert registry.find("g", ALL) is None


def test_services_that_are_not_pinned_are_ignored() -> None:
    registry = ToolRegistry({"moodle"})
    registry.announce("other", {"f": 20.0})
    assert registry.find("f", ALL) is None
    registry.announce("moodle", {"f": 10.0})
    assert registry.find("f", ALL) == ServerTool("moodle", 10.0)


def test_the_last_announcement_counts() -> None:
    registry = ToolRegistry({"moodle"})
    registry.announce("moodle", {"f": 20.0, "g": 20.0})
    registry.announce("moodle", {"g": 30.0})
    assert registry.find("f", ALL) is None
    assert registry.find("g", ALL) == ServerTool("moodle", 30.0)


def test_a_function_of_two_services_is_refused_to_both_in_any_order() -> None:
    announcements = [("moodle", {"f": 1.0, "a": 1.0}), ("wiki", {"f": 2.0, "b": 2.0}), ("other", {"f": 3.0})]
    for order in itertools.permutations(announcements):
        registry = ToolRegistry(ALL)
        for service, functions in order:
            registry.announce(service, functions)
        assert registry.find("f", ALL) is None
        assert registry.find("f", {"moodle"}) is None
        assert registry.find("a", ALL) == ServerTool("moodle", 1.0)
        assert registry.conflicts() == {"f": ["moodle", "other", "wiki"]}


def test_a_conflict_ends_when_one_of_the_services_gives_in() -> None:
    registry = ToolRegistry({"moodle", "wiki"})
    registry.announce("moodle", {"f": 1.0})
    registry.announce("wiki", {"f": 2.0})
    registry.announce("wiki", {})
    assert registry.find("f", ALL) == ServerTool("moodle", 1.0)
    assert registry.conflicts() == {}


async def test_it_is_complete_once_every_pinned_service_has_announced() -> None:
    registry = ToolRegistry({"moodle", "wiki"})
    waiting = asyncio.create_task(registry.complete())
    assert registry.missing() == ["moodle", "wiki"]
    registry.announce("other", {})
    registry.announce("wiki", {})
    await asyncio.sleep(0)
    assert not waiting.done()
    assert registry.missing() == ["moodle"]
    registry.announce("moodle", {"f": 1.0})
    await waiting
    assert registry.missing() == []


async def test_without_pinned_services_there_is_nothing_to_wait_for() -> None:
    await ToolRegistry(()).complete()
