"""Writes the tables of docs/guides/settings.md from the settings classes: `python docs/setting_tables.py`.

A test holds the guide to the classes.
"""

import ast
import inspect
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from gateway.settings import GatewaySettings
from guide_parts import GuideParts
from moodle_tool.settings import MoodleToolSettings
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from run_orchestrator.settings import OrchestratorSettings
from service_process import KafkaConnection, ProcessSettings
from threadworks.settings import LocalSettings
from tool_service.process import ToolProcessSettings

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


GUIDE: Final = GuideParts("settings.md", "settings", lambda name: _table(*TABLES[name]))

if __name__ == "__main__":
    GUIDE.write()
