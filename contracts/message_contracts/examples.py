"""The examples beside each schema, and whether they show what their names say. Called by `check` and the tests.

`valid-<what it shows>.json` fits its schema. `invalid-<property.path>-<keyword>.json` breaks exactly that keyword at
exactly that place: `invalid-run.status-const.json`, and for a missing property `invalid-run.id-required.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from message_contracts.schemas import MESSAGES, PACKAGE, current
from message_contracts.violations import Violation, violations


@dataclass(frozen=True, slots=True)
class Example:
    """One example file."""

    type: str
    path: Path
    data: Any

    @property
    def valid(self) -> bool:
        """Whether its name promises that it fits."""
        return self.path.stem.startswith("valid-")

    @property
    def name(self) -> str:
        """Type and file, for messages and test ids."""
        return f"{self.type}/{self.path.stem}"


def examples(root: Path = PACKAGE) -> Iterator[Example]:
    """Every example, in the order of the folders."""
    for path in sorted(root.glob(f"{MESSAGES}/*/examples/v*/*.json")):
        major, name = path.parent.name, path.parents[2].name
        yield Example(f"threadworks.{name}.{major}", path, orjson.loads(path.read_bytes()))


def problem(example: Example) -> str | None:
    """What is wrong with an example, or None when it shows what its name says."""
    found = current().compile(example.type)
    broken = list(violations(found.producer.iter_errors(example.data)))
    if example.valid:
        told = found.produced_violation(example.data) or found.consumed_violation(example.data)
        return told and f"does not fit: {told}"
    if not example.path.stem.startswith("invalid-"):
        return "is named neither valid-… nor invalid-…"
    promised = example.path.stem.removeprefix("invalid-")
    shown = {_as_named(violation) for violation in broken}
    return None if shown == {promised} else f"breaks {sorted(shown) or 'nothing'}"


def missing() -> Iterator[str]:
    """Message types that lack a valid or an invalid example, one sentence each."""
    found = [(example.type, example.valid) for example in examples()]
    for type_ in current().messages:
        for valid, word in ((True, "valid"), (False, "invalid")):
            if (type_, valid) not in found:
                yield f"{type_}: has no {word} example"


def _as_named(violation: Violation) -> str:
    location = [str(part) for part in violation.location]
    if violation.keyword == "required":
        location.append(violation.expected)
    return f"{'.'.join(location)}-{violation.keyword}"
