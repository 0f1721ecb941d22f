"""What pydantic found wrong with a request, in OpenAI's words. Called by `parsing`.

A table from pydantic's error types to sentences; paths are written as `tools[0].function.name`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from gateway.entrypoints.http.openai.refusals import Refusal, clip, too_many_properties
from gateway.entrypoints.http.openai.requests.fields import WHOLE

_TAG: Final = re.compile(r"«(.*?)»")
_QUOTED: Final = re.compile(r"'([^']*)'")

# What a list holds and what a union takes, by the last name of the path: pydantic's errors do not tell.
_LISTS: Final[Mapping[str, str]] = {
    "file_ids": "an array of strings",
    "vector_store_ids": "an array of strings",
}
_UNIONS: Final[Mapping[str, str]] = {
    "content": "one of a string or array of objects",
    "tool_choice": "one of 'none', 'auto', or 'required' or an object",
    "response_format": "one of 'auto' or an object",
}
_DECIMALS: Final = frozenset({"temperature", "top_p", "score_threshold"})

Violation = Mapping[str, Any]
"""One of pydantic's error details: type, loc, input, ctx."""


def refusal_of_violations(error: ValidationError) -> Refusal:
    """Return the refusal for the violation that OpenAI would name first.

    That is a missing field of the body itself, then an unknown one, then whatever comes first.
    """
    violations: Sequence[Violation] = [dict(each) for each in error.errors(include_url=False)]
    return _refusal(min(violations, key=_rank))


def _rank(violation: Violation) -> int:
    if len(violation["loc"]) > 1:
        return 2
    return {"missing": 0, "extra_forbidden": 1}.get(violation["type"], 2)


def member_path(loc: Sequence[str | int]) -> str:
    """Return the path of a field as `tools[0].function.name`; very long names are cut."""
    path = ""
    for each in loc:
        if isinstance(each, int):
            path += f"[{each}]"
        elif not _TAG.fullmatch(each):
            path += f".{clip(each)}" if path else clip(each)
    return path


def type_name(value: Any) -> str:
    """Return what a JSON value is, with its article."""
    names = {bool: "a boolean", int: "an integer", float: "a decimal number", str: "a string", list: "an array"}
    return "null" if value is None else names.get(type(value), "an object")


def choices(words: Sequence[str], conjunction: str) -> str:
    """Return `'a'`, `'a' and 'b'`, or `'a', 'b', and 'c'`."""
    quoted = [f"'{word}'" for word in words]
    if len(quoted) < 3:
        return f" {conjunction} ".join(quoted)
    return f"{', '.join(quoted[:-1])}, {conjunction} {quoted[-1]}"


def _refusal(violation: Violation) -> Refusal:
    loc = [each for each in violation["loc"] if each != "[key]"]
    path = member_path(loc)
    build = _SENTENCES.get(violation["type"])
    if build is None:
        return Refusal(400, f"Invalid value for '{path}'.", param=path, code="invalid_value")
    return build(path, violation)


def _wrong_type(path: str, value: Any, expected: str) -> Refusal:
    return Refusal(
        400,
        f"Invalid type for '{path}': expected {expected}, but got {type_name(value)} instead.",
        param=path,
        code="invalid_type",
    )


def _expected(expected: str) -> Callable[[str, Violation], Refusal]:
    return lambda path, violation: _wrong_type(path, violation["input"], expected)


def _missing(path: str, _violation: Violation) -> Refusal:
    message = f"Missing required parameter: '{path}'."
    return Refusal(400, message, param=path, code="missing_required_parameter")


def _missing_member(path: str, violation: Violation) -> Refusal:
    return _missing(_below(path, violation["ctx"]["member"]), violation)


def _unknown(path: str, _violation: Violation) -> Refusal:
    return Refusal(400, f"Unknown parameter: '{path}'.", param=path, code="unknown_parameter")


def _unknown_member(path: str, violation: Violation) -> Refusal:
    return _unknown(_below(path, clip(violation["ctx"]["member"])), violation)


def _unsupported_member(path: str, violation: Violation) -> Refusal:
    message = f"Unsupported parameter: '{path}'. {violation['msg']}"
    return Refusal(400, message, param=path, code="unsupported_parameter")


def _list_type(path: str, violation: Violation) -> Refusal:
    return _wrong_type(path, violation["input"], _LISTS.get(_last(path), "an array of objects"))


def _word(path: str, violation: Violation) -> Refusal:
    supported = _QUOTED.findall(violation["ctx"]["expected"])
    if not isinstance(violation["input"], str):
        expected = f"one of {choices(supported, 'or')}" if len(supported) > 1 else choices(supported, "or")
        return _wrong_type(path, violation["input"], expected)
    return _unsupported_word(path, violation["input"], supported)


def _unsupported_word(path: str, word: str, supported: Sequence[str]) -> Refusal:
    message = f"Invalid value: '{clip(word)}'. Supported values are: {choices(supported, 'and')}."
    return Refusal(400, message, param=path, code="invalid_value")


def _no_kind(path: str, violation: Violation) -> Refusal:
    value = violation["input"]
    if not isinstance(value, dict):
        return _wrong_type(path, value, _UNIONS.get(_last(path), "an object"))
    if _last(path) == "content":
        return _wrong_type(path, value, _UNIONS["content"])
    kind = _below(path, "type")
    return _wrong_type(kind, value["type"], "a string") if "type" in value else _missing(kind, violation)


def _unknown_kind(path: str, violation: Violation) -> Refusal:
    supported = [kind for kind in _TAG.findall(violation["ctx"]["expected_tags"]) if not kind.startswith(WHOLE)]
    return _unsupported_word(_below(path, "type"), violation["input"]["type"], supported)


def _too_long_text(path: str, violation: Violation) -> Refusal:
    most, got = violation["ctx"]["max_length"], len(violation["input"])
    if violation["loc"][-1] == "[key]":
        holder, key = member_path(violation["loc"][:-2]), violation["input"]
        message = (
            f"Invalid property name in '{holder}': '{key[:3]}...{key[-3:]}' is too long. "
            f"Expected a string with maximum length {most}, but got a string with length {got} instead."
        )
        return Refusal(400, message, param=path, code="property_name_above_max_length")
    message = (
        f"Invalid '{path}': string too long. "
        f"Expected a string with maximum length {most}, but got a string with length {got} instead."
    )
    return Refusal(400, message, param=path, code="string_above_max_length")


def _empty_text(path: str, _violation: Violation) -> Refusal:
    message = (
        f"Invalid '{path}': empty string. Expected a string with minimum length 1, but got an empty string instead."
    )
    return Refusal(400, message, param=path, code="empty_string")


def _pattern(path: str, violation: Violation) -> Refusal:
    if _last(path) == "url":
        message = f"Invalid '{path}'. Expected a valid URL, but got a value with an invalid format."
    else:
        message = (
            f"Invalid '{path}': string does not match pattern. "
            f"Expected a string that matches the pattern '{violation['ctx']['pattern']}'."
        )
    return Refusal(400, message, param=path, code="invalid_value")


def _too_long_list(path: str, violation: Violation) -> Refusal:
    most, got = violation["ctx"]["max_length"], len(violation["input"])
    message = (
        f"Invalid '{path}': array too long. "
        f"Expected an array with maximum length {most}, but got an array with length {got} instead."
    )
    return Refusal(400, message, param=path, code="array_above_max_length")


def _empty_list(path: str, _violation: Violation) -> Refusal:
    message = f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    return Refusal(400, message, param=path, code="empty_array")


def _too_many_pairs(path: str, violation: Violation) -> Refusal:
    return too_many_properties(path, violation["ctx"]["most"], violation["ctx"]["got"])


def _below_minimum(path: str, violation: Violation) -> Refusal:
    return _out_of_range(path, violation["input"], "below min", "below minimum", f">= {violation['ctx']['ge']:g}")


def _above_maximum(path: str, violation: Violation) -> Refusal:
    return _out_of_range(path, violation["input"], "above max", "above maximum", f"<= {violation['ctx']['le']:.10g}")


def _out_of_range(path: str, value: float, code: str, words: str, bound: str) -> Refusal:
    number = "decimal" if _last(path) in _DECIMALS else "integer"
    message = f"Invalid '{path}': {number} {words} value. Expected a value {bound}, but got {value} instead."
    return Refusal(400, message, param=path, code=f"{number}_{code.replace(' ', '_')}_value")


def _below(path: str, member: str) -> str:
    return f"{path}.{member}" if path else member


def _last(path: str) -> str:
    return path.rpartition(".")[2].partition("[")[0] if not path.endswith("]") else ""


_SENTENCES: Final[Mapping[str, Callable[[str, Violation], Refusal]]] = {
    "missing": _missing,
    "missing_member": _missing_member,
    "extra_forbidden": _unknown,
    "unknown_member": _unknown_member,
    "unsupported_member": _unsupported_member,
    "string_type": _expected("a string"),
    "int_type": _expected("an integer"),
    "float_type": _expected("a decimal"),
    "bool_type": _expected("a boolean"),
    "model_type": _expected("an object"),
    "dict_type": _expected("an object"),
    "list_type": _list_type,
    "literal_error": _word,
    "union_tag_not_found": _no_kind,
    "union_tag_invalid": _unknown_kind,
    "string_too_long": _too_long_text,
    "string_too_short": _empty_text,
    "string_pattern_mismatch": _pattern,
    "too_long": _too_long_list,
    "too_short": _empty_list,
    "too_many_pairs": _too_many_pairs,
    "greater_than_equal": _below_minimum,
    "less_than_equal": _above_maximum,
}
