"""From drafts to the parameters of statements."""

from collections.abc import Sequence
from typing import Any, Final

from run_engine.domain.drafts import NewAssistant, NewMessage, NewRun, Unset
from run_engine.domain.objects import Json

_INHERITED: Final = (
    "model",
    "instructions",
    "tools",
    "tool_resources",
    "temperature",
    "top_p",
    "response_format",
    "reasoning_effort",
)


def assistant_values(draft: NewAssistant) -> dict[str, Any]:
    """Every column of an assistant that a client sets."""
    return {
        "id": draft.id,
        "name": draft.name,
        "description": draft.description,
        "model": draft.model,
        "instructions": draft.instructions,
        "tools": draft.tools,
        "tool_resources": draft.tool_resources,
        "metadata": draft.metadata,
        "temperature": draft.temperature,
        "top_p": draft.top_p,
        "response_format": draft.response_format,
        "reasoning_effort": draft.reasoning_effort,
    }


def message_values(drafts: Sequence[NewMessage]) -> list[Json]:
    """Messages as one JSON array: an array of PostgreSQL would take the list of parts for a second dimension."""
    return [
        {
            "id": draft.id,
            "role": draft.role,
            "content": draft.content,
            "attachments": draft.attachments or [],
            "metadata": draft.metadata,
        }
        for draft in drafts
    ]


def run_values(draft: NewRun) -> dict[str, Any]:
    """A run's columns; for each field that an assistant has too, whether the run inherits it."""
    values: dict[str, Any] = {
        "run_id": draft.id,
        "assistant_id": draft.assistant_id,
        "additional_instructions": draft.additional_instructions,
        "metadata": draft.metadata,
        "max_prompt_tokens": draft.max_prompt_tokens,
        "max_completion_tokens": draft.max_completion_tokens,
        "truncation_strategy": draft.truncation_strategy,
        "tool_choice": draft.tool_choice,
        "parallel_tool_calls": draft.parallel_tool_calls,
    }
    for name in _INHERITED:
        value = getattr(draft, name)
        inherited = isinstance(value, Unset)
        values[f"inherit_{name}"] = inherited
        values[name] = None if inherited else value
    return values
