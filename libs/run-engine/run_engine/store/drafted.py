"""From drafts to the parameters of statements."""

from collections.abc import Sequence
from typing import Any, Final

from run_engine.domain.drafts import NewAssistant, NewMessage, NewRun, Unset

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


def message_values(drafts: Sequence[NewMessage]) -> dict[str, Any]:
    """Messages as parallel arrays, as `unnest` takes them."""
    return {
        "message_ids": [draft.id for draft in drafts],
        "message_roles": [draft.role for draft in drafts],
        "message_contents": [draft.content for draft in drafts],
        "message_attachments": [draft.attachments or [] for draft in drafts],
        "message_metadata": [draft.metadata for draft in drafts],
    }


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
