"""Turns validation errors into lines that say where and what, without a word of the payload.

Called by the compiled contracts when data does not fit, where the line becomes the reason of an InvalidMessage, and by
`check`, which compares the violations of an invalid example with the one in its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from jsonschema_rs import ValidationError, ValidationErrorKind

MOST = 3
"""Violations named in one line; more would only repeat the first mistake."""


class Violation(NamedTuple):
    """One place that does not fit its schema."""

    location: tuple[str | int, ...]
    """Property names and indexes from the root of the data; of a missing property, those of its object."""
    keyword: str
    """The JSON Schema keyword that is not met, e.g. `required`."""
    expected: str
    """What the keyword asks for, as the schema says it; empty where the keyword says enough."""


def violations(errors: Iterable[ValidationError]) -> Iterator[Violation]:
    """The distinct violations behind validation errors, in the order of the errors."""
    seen: set[Violation] = set()
    for error in errors:
        inner = _innermost(error)
        violation = Violation(tuple(inner.instance_path), inner.kind.name, _expected(inner.kind))
        if violation not in seen:
            seen.add(violation)
            yield violation


def describe(found: Iterable[Violation], known_names: frozenset[str]) -> str:
    """One line such as `/run/status: const queued; /run: required id`.

    known_names are the property names that schemas declare. Any other key, such as one of a client's metadata, is
    payload and shown as `*`.
    """
    return "; ".join(_line(violation, known_names) for violation in islice(found, MOST))


def _innermost(error: ValidationError) -> ValidationError:
    # Of an anyOf, the branch that came furthest says what is wrong: in "usage or null" it is the one about usage.
    kind = error.kind
    if not isinstance(kind, ValidationErrorKind.AnyOf):
        return error
    candidates = [_innermost(inner) for branch in kind.context for inner in branch]
    return max(candidates, key=lambda inner: len(inner.instance_path), default=error)


def _line(violation: Violation, known_names: frozenset[str]) -> str:
    parts = (part if isinstance(part, int) or part in known_names else "*" for part in violation.location)
    path = "".join(f"/{part}" for part in parts) or "/"
    return f"{path}: {violation.keyword} {violation.expected}".rstrip()


def _expected(kind: ValidationErrorKind) -> str:
    match kind:
        case ValidationErrorKind.Type(types):
            return " or ".join(types)
        case (
            ValidationErrorKind.Required(rule)
            | ValidationErrorKind.Constant(rule)
            | ValidationErrorKind.Format(rule)
            | ValidationErrorKind.Pattern(rule)
            | ValidationErrorKind.Enum(rule)
            | ValidationErrorKind.MaxLength(rule)
            | ValidationErrorKind.MinLength(rule)
        ):
            return str(rule)
        case _:
            return ""
