"""What the model is told of tools in words: of calls that are no function calls, of outputs that answer none. Pure.

No API takes calls of imported runs back in a prompt, and leaving them out would hide from the model what it has done
already; nor an output whose call is not in the prompt. Used by `prompt` and `spoken`.
"""

from collections.abc import Iterable
from typing import Any, Final

from run_engine.domain.objects import Json

LONGEST_EXCERPT: Final = 500
"""Characters of an input, of an output, or of a list of names: enough to know what it was about."""

BEFORE_AN_OUTPUT: Final = "[The output of a tool follows.]\n"


def note_of_output(output: str) -> str:
    """An output for the user's place in a prompt, marked so that the model does not take it for the user's words."""
    return BEFORE_AN_OUTPUT + output


def note_of(calls: Iterable[tuple[int, Json]]) -> str:
    """A line for each call, in the order of their places; empty for none."""
    return "\n".join(_line(call) for _, call in sorted(calls, key=lambda placed: placed[0]))


def _line(call: Any) -> str:
    match call:
        case {"type": "code_interpreter", "code_interpreter": {"input": str(code), **rest}}:
            printed = "\n".join(_printed(rest.get("outputs")))
            told = f", which printed: {_excerpt(printed)}" if printed else ""
            return f"[code_interpreter ran: {_excerpt(code)}{told}]"
        case {"type": "file_search", "file_search": {"results": [_, *_] as results}}:
            names = ", ".join(str(each.get("file_name")) for each in results if isinstance(each, dict))
            return f"[file_search found something in: {_excerpt(names)}]"
        case {"type": str(kind)}:
            return f"[{_excerpt(kind)} was used]"
        case _:
            return "[a tool was used]"


def _printed(outputs: Any) -> Iterable[str]:
    for output in outputs if isinstance(outputs, list) else ():
        match output:
            case {"type": "logs", "logs": str(logs)}:
                yield logs
            case {"type": str(kind)}:
                yield f"({kind})"


def _excerpt(text: str) -> str:
    return text if len(text) <= LONGEST_EXCERPT else text[: LONGEST_EXCERPT - 1] + "…"
