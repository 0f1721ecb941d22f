"""From drafts to the parameters of statements."""

from collections.abc import Sequence
from typing import Any, Final

from run_engine.domain.drafts import NewAssistant, NewMessage, NewRun, NewThread, Unset
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
_SELDOM: Final = ("sender_id", "tool_calls", "tool_call_id")
"""Fields of messages that most have not: where they are left out, the statement finds nothing."""


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
        | {name: value for name in _SELDOM if (value := getattr(draft, name)) is not None}
        for draft in drafts
    ]


def senders(drafts: Sequence[NewMessage]) -> list[str]:
    """The users who have sent the messages, each once."""
    return list(dict.fromkeys(draft.sender_id for draft in drafts if draft.sender_id is not None))


def participants(draft: NewThread) -> list[str]:
    """The users who take part in a thread, each once."""
    return list(dict.fromkeys(draft.participants))


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
