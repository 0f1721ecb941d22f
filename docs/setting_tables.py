"""Writes the tables of docs/guides/settings.md from the settings classes: `python docs/setting_tables.py`.

A test holds the guide to the classes.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from gateway.settings import GatewaySettings
from moodle_tool.settings import MoodleToolSettings
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from run_orchestrator.settings import OrchestratorSettings
from service_process import KafkaConnection, ProcessSettings
from threadworks.settings import LocalSettings
from tool_service.process import ToolProcessSettings

GUIDE: Final = Path(__file__).parent / "guides" / "settings.md"
_TABLE: Final = re.compile(r"<!-- settings: ([a-z -]+) -->\n.*?<!-- end -->\n", re.DOTALL)

TABLES: Final[dict[str, tuple[type[BaseModel], type[BaseModel] | None]]] = {
    "kafka": (KafkaConnection, None),
    "process": (ProcessSettings, KafkaConnection),
    "gateway": (GatewaySettings, None),
    "run-orchestrator": (OrchestratorSettings, None),
    "moodle-tool": (MoodleToolSettings, None),
    "tool services": (ToolProcessSettings, ProcessSettings),
    "local": (LocalSettings, None),
}
"""The class of each table, and the one whose fields another table has already."""


def written(guide: str) -> str:
    """Return the guide with its tables as the classes say. Raises KeyError for a table of something else."""
    return _TABLE.sub(lambda found: f"<!-- settings: {found[1]} -->\n{_table(*TABLES[found[1]])}<!-- end -->\n", guide)


def tables_of(guide: str) -> list[str]:
    """Return the names of the tables in a guide."""
    return [found[1] for found in _TABLE.finditer(guide)]


def variable(name: str, field: FieldInfo) -> str:
    """Return the environment variable that a field is read from."""
    alias = field.validation_alias
    choices: Sequence[Any] = alias.choices if isinstance(alias, AliasChoices) else [alias]
    given = [choice for choice in choices if isinstance(choice, str) and choice.isupper()]
    return given[0] if given else f"THREADWORKS_{name.upper()}"


def meanings(settings: type[BaseModel]) -> dict[str, str]:
    """Return what stands below each field of a class and of those it is made of."""
    found: dict[str, str] = {}
    for each in reversed(settings.__mro__):
        if not issubclass(each, BaseModel) or each.__module__.partition(".")[0] not in _OURS:
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for statement, below in pairwise(body):
            match statement, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = " ".join(text.split())
    return found


_OURS: Final = {kind.__module__.partition(".")[0] for kind, _ in TABLES.values()}


def _table(settings: type[BaseModel], elsewhere: type[BaseModel] | None) -> str:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    told = meanings(settings)
    for name, field in settings.model_fields.items():
        if elsewhere is None or name not in elsewhere.model_fields:
            rows.append(f"| `{variable(name, field)}` | {_default(field)} | {told[name].replace('|', chr(92) + '|')} |")
    return "\n".join([*rows, ""])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "has to be set"
    value = field.get_default(call_default_factory=True)
    if value is None or value == "" or isinstance(value, SecretStr):
        return "not set"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | tuple | set | frozenset):
        return f"`{','.join(sorted(map(str, value)))}`" if value else "none"
    return f"`{value}`"


def main() -> None:
    """Rewrite the guide."""
    GUIDE.write_text(written(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
