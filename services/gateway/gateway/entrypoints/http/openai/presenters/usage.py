"""Token counts of runs and steps."""

from typing import Any

from run_engine.domain.objects import Usage


def usage(counted: Usage | None) -> dict[str, Any] | None:
    """Return a usage object; null while the run or step goes on."""
    if counted is None:
        return None
    return {
        "prompt_tokens": counted.prompt_tokens,
        "completion_tokens": counted.completion_tokens,
        "total_tokens": counted.total_tokens,
        **counted.details,
    }
