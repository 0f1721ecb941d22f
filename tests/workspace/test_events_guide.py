"""The guide to events says what the AsyncAPI document says, and its links lead somewhere."""

import copy
import re
from pathlib import Path

import event_tables as tables
import pytest
from message_contracts import catalogue
from message_contracts.schemas import current

ROOT = Path(__file__).parents[2]


@pytest.fixture
def guide() -> str:
    return tables.guide(tables.document()).text()


def test_the_tables_are_as_the_document_says(guide: str) -> None:
    assert tables.guide(tables.document()).written() == guide, "run `python docs/event_tables.py`"
    assert tables.guide(tables.document()).names() == list(tables.PARTS)


def test_a_difference_is_noticed_in_every_table(guide: str) -> None:
    for part, path in {
        "topics": ("channels", "threadworks.messages.v1"),
        "headers": ("components", "schemas", "cloud-event-headers", "properties", "ce_id"),
        "types": ("components", "messages", "threadworks.run.queued.v1"),
        "objects": ("components", "schemas", "definitions.run.v1", "properties", "model"),
    }.items():
        changed = copy.deepcopy(tables.document())
        found = changed
        for name in path:
            found = found[name]
        found["summary" if part == "types" else "description"] = "Changed."
        assert tables.guide(changed).written() != guide, part


def test_every_type_and_topic_is_in_the_guide(guide: str) -> None:
    names = [*current().messages, *(topic.name.replace("<service>", "{service}") for topic in catalogue.declared())]
    assert [name for name in names if f"| `{name}` |" not in guide] == []


@pytest.mark.parametrize("name", ["events.md", "subscribing.md"])
def test_links_lead_somewhere(name: str) -> None:
    path = ROOT / "docs" / "guides" / name
    text = path.read_text(encoding="utf-8")
    headings = {title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    for link in links:
        if link.startswith("#"):
            assert link[1:] in headings, link
        else:
            assert (path.parent / link.partition("#")[0]).exists(), link
