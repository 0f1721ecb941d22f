"""Bodies of version 1 that create runs: with all that version 1 ever took, so that its last SDKs are served too."""

from gateway.entrypoints.http.openai.requests.fields import Body, LongText, Metadata, Model, Temperature, TokenLimit
from gateway.entrypoints.http.openai.requests.options import ResponseFormat, TruncationStrategy
from gateway.entrypoints.http.openai.version_1.requests.threads import CreateThread, Messages
from gateway.entrypoints.http.openai.version_1.requests.tools import RunTools, ToolChoice


class _StartRun(Body):
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


class CreateRun(_StartRun):
    """The body of POST /threads/{id}/runs."""

    additional_instructions: LongText | None = None
    additional_messages: Messages | None = None


class CreateThreadAndRun(_StartRun):
    """The body of POST /threads/runs."""

    thread: CreateThread | None = None
