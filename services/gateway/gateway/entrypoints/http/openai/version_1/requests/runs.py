"""Bodies of version 1 that create runs: with all that version 1 ever took, so that its last SDKs are served too."""

from typing import Any

from gateway.entrypoints.http.openai.requests.fields import LongText, Metadata, Model, Temperature, TokenLimit
from gateway.entrypoints.http.openai.requests.options import ResponseFormat, TruncationStrategy
from gateway.entrypoints.http.openai.version_1.requests.threads import CreateThread, Messages, messages_of_version_2
from gateway.entrypoints.http.openai.version_1.requests.tools import RunTools, ToolChoice, tools_of_version_2
from gateway.entrypoints.http.openai.version_1.requests.translated import Translated, replaced


class _StartRun(Translated):
    """What both ways to start a run have."""

    assistant_id: str
    model: Model | None = None
    instructions: LongText | None = None
    tools: RunTools | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    stream: bool | None = None
    max_prompt_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None

    @classmethod
    def as_version_2(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the body of version 2."""
        (choice,) = tools_of_version_2([given.get("tool_choice")])
        return replaced(given, tools=tools_of_version_2(given.get("tools")), tool_choice=choice)


class CreateRun(_StartRun):
    """The body of POST /threads/{id}/runs."""

    additional_instructions: LongText | None = None
    additional_messages: Messages | None = None

    @classmethod
    def as_version_2(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the body of version 2."""
        added = messages_of_version_2(given.get("additional_messages"))
        return replaced(super().as_version_2(given), additional_messages=added)


class CreateThreadAndRun(_StartRun):
    """The body of POST /threads/runs."""

    thread: CreateThread | None = None

    @classmethod
    def as_version_2(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Return the body of version 2."""
        return replaced(super().as_version_2(given), thread=CreateThread.as_version_2(given.get("thread") or {}))
