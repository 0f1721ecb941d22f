"""Every log line has an `action`: a word for machines that stays when the sentence for people changes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEVELS = frozenset({"debug", "info", "warning", "error", "critical", "exception", "log"})
WORD = re.compile(r"[a-z][a-z0-9_]*[a-z0-9]")
FOLDERS = ("contracts", "libs", "services", "simulators", "cli")


def modules() -> list[Path]:
    """Our programs, without their tests."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if "tests" not in path.parts]
    return sorted(path for path in found if "get_logger" in path.read_text(encoding="utf-8"))


def loggers(tree: ast.AST) -> set[str]:
    """Names that stand for a logger of structlog, or one that is bound to something."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made_by = node.value.func
            is_logger = isinstance(made_by, ast.Attribute) and (
                made_by.attr == "get_logger"
                or (made_by.attr == "bind" and isinstance(made_by.value, ast.Name) and made_by.value.id in names)
            )
            if is_logger:
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call that writes a line."""
    names = loggers(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            called = node.func.value
            if isinstance(called, ast.Call) and isinstance(called.func, ast.Attribute) and called.func.attr == "bind":
                called = called.func.value
            if isinstance(called, ast.Name) and called.id in names:
                yield node


def actions(call: ast.Call) -> list[str]:
    """The actions that a call may have; none where there is no such argument, or where it could be anything."""
    (value,) = [each.value for each in call.keywords if each.arg == "action"] or [None]
    values = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
    return [each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def complaints(source: str) -> list[int]:
    """The lines whose calls have no action, or one that is no word."""
    tree = ast.parse(source)
    return [call.lineno for call in calls(tree) if not actions(call) or not all(map(WORD.fullmatch, actions(call)))]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_line_has_an_action(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


def test_there_is_something_to_look_at() -> None:
    found = modules()
    assert len(found) > 30
    assert sum(len(list(calls(ast.parse(path.read_text(encoding="utf-8"))))) for path in found) > 100


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('log.info("a sentence", action="run_claimed", run_id=1)', False),
        ('log.info("a sentence", action="one" if x else "another_one")', False),
        ('log.bind(run_id=1).warning("a sentence", action="run_claimed")', False),
        ('other.info("not a logger of ours")', False),
        ('log.info("a sentence", run_id=1)', True),
        ('log.warning("a sentence", action="With Spaces")', True),
        ('log.error("a sentence", action=f"run_{x}")', True),
        ('line = log.bind(run_id=1)\nline.error("a sentence")', True),
    ],
)
def test_the_check_itself(line: str, complaint: bool) -> None:
    assert bool(complaints(f"log = structlog.get_logger(__name__)\n{line}\n")) is complaint
