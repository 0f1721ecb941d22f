"""What all objects have that come from elsewhere, as the API returned them there.

Unlike the bodies of other requests, they may have fields that are not known here (`unknown_fields` tells which). What
is kept as JSON is kept as it came: the models only make sure of what the engine relies on.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from run_engine.domain.imports import ImportedObject
from run_engine.domain.objects import Usage

from gateway.entrypoints.http.openai.requests.fields import LARGEST_INTEGER, Body, Identifier

Seconds = Annotated[int, Field(ge=0, le=253_370_764_799)]
"""Unix seconds up to the year 9998."""
Count = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
"""A number of tokens. Those of a run are added up."""

Reference = Annotated[str, Field(max_length=256)]
"""The id of something that need not be here."""

Given = Mapping[str, Any]
"""The object itself, as it came."""

OPEN = ConfigDict(strict=True, extra="ignore", frozen=True)
"""For models that let pass what they do not know."""


class Imported(Body):
    """Base of all objects: an id, a kind, a time, and whatever else."""

    model_config = OPEN

    id: Identifier
    object: str
    created_at: Seconds

    @classmethod
    def unknown_fields(cls, given: Given) -> set[str]:
        """Return the names of the fields that are not kept."""
        return set(given) - set(cls.model_fields)

    def imported(self, tenant_id: str, given: Given) -> ImportedObject:
        """Return the object to be stored. Raises `Refusal` where its fields contradict each other."""
        raise NotImplementedError


class ImportedUsage(Body):
    """Tokens; more of them (cached, reasoning) may be told apart."""

    model_config = OPEN

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count


def moment(seconds: int) -> datetime:
    """Return a time of the engine."""
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(seconds: int | None) -> datetime | None:
    """Return a time of the engine, if there is one."""
    return None if seconds is None else moment(seconds)


def usage_of(counted: ImportedUsage | None, given: Given) -> Usage | None:
    """Return the tokens of a run or step; `given` is the whole of it."""
    if counted is None:
        return None
    usage = Usage(prompt_tokens=counted.prompt_tokens, completion_tokens=counted.completion_tokens)
    known = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    details = {name: value for name, value in given["usage"].items() if name not in known or known[name] != value}
    return replace(usage, details=details)
