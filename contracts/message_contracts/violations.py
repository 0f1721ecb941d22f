"""Turns validation errors into one line that says where and what, without a word of the payload.

Called by the compiled contracts when data does not fit; the line becomes the reason of an InvalidMessage.
"""

from __future__ import annotations

from collections.abc import Iterable

from jsonschema_rs import ValidationError, ValidationErrorKind

MOST = 3
"""Violations named in one line; more would only repeat the first mistake."""


def describe(errors: Iterable[ValidationError], known_names: frozenset[str]) -> str:
    """One line such as `/run/status: const "queued"; /run: required "id"`.

    known_names are the property names that schemas declare. Any other key, such as one of a client's metadata, is
    payload and shown as `*`.
    """
    lines: list[str] = []
    for error in errors:
        line = _line(innermost(error), known_names)
        if line not in lines:
            lines.append(line)
        if len(lines) == MOST:
            break
    return "; ".join(lines)


def innermost(error: ValidationError) -> ValidationError:
    """The error inside the branch of an anyOf that came furthest, or the error itself."""
    kind = error.kind
    if not isinstance(kind, ValidationErrorKind.AnyOf):
        return error
    candidates = [innermost(inner) for branch in kind.context for inner in branch]
    return max(candidates, key=lambda inner: len(inner.instance_path), default=error)


def _line(error: ValidationError, known_names: frozenset[str]) -> str:
    path = "".join(f"/{part if isinstance(part, int) or part in known_names else '*'}" for part in error.instance_path)
    return f"{path or '/'}: {error.kind.name}{_expectation(error.kind)}"


def _expectation(kind: ValidationErrorKind) -> str:
    # Only what the schema says: the kinds that are not listed say enough by their name.
    match kind:
        case ValidationErrorKind.Required(name) | ValidationErrorKind.Constant(name):
            return f' "{name}"'
        case ValidationErrorKind.Type(types):
            return f" {' or '.join(types)}"
        case (
            ValidationErrorKind.Format(rule)
            | ValidationErrorKind.Pattern(rule)
            | ValidationErrorKind.Enum(rule)
            | ValidationErrorKind.MaxLength(rule)
            | ValidationErrorKind.MinLength(rule)
        ):
            return f" {rule}"
        case _:
            return ""
