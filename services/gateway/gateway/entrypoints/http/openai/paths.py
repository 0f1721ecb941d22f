"""Which operations `/v1` has; `document.operations` describes each.

The test with the official SDK holds them to the operations of the field facts.
"""

from collections.abc import Sequence
from typing import TypeAlias

from gateway.entrypoints.http.endpoint import Handlers
from gateway.entrypoints.http.idempotency import KeysItself
from gateway.entrypoints.http.openai.operations.assistants import AssistantOperations
from gateway.entrypoints.http.openai.operations.files import FileOperations
from gateway.entrypoints.http.openai.operations.messages import MessageOperations
from gateway.entrypoints.http.openai.operations.models import ModelOperations
from gateway.entrypoints.http.openai.operations.run_streams import RunStreams
from gateway.entrypoints.http.openai.operations.runs import RunOperations
from gateway.entrypoints.http.openai.operations.steps import StepOperations
from gateway.entrypoints.http.openai.operations.threads import ThreadOperations
from gateway.entrypoints.http.openai.version_1.operations.assistant_files import AssistantFileOperations
from gateway.entrypoints.http.openai.version_1.operations.message_files import MessageFileOperations

Paths: TypeAlias = Sequence[tuple[str, Handlers]]


def paths(
    *,
    assistants: AssistantOperations,
    threads: ThreadOperations,
    messages: MessageOperations,
    runs: RunOperations,
    streams: RunStreams,
    steps: StepOperations,
) -> Paths:
    """Return the Assistants API. `/threads/runs` stands before `/threads/{thread_id}`, which it fits too."""
    thread, run = "/v1/threads/{thread_id}", "/v1/threads/{thread_id}/runs/{run_id}"
    return [
        ("/v1/assistants", {"GET": assistants.list, "POST": assistants.create}),
        (
            "/v1/assistants/{assistant_id}",
            {"GET": assistants.retrieve, "POST": assistants.modify, "DELETE": assistants.delete},
        ),
        ("/v1/threads", {"GET": threads.list, "POST": threads.create}),
        ("/v1/threads/runs", {"POST": runs.create_with_thread}),
        (thread, {"GET": threads.retrieve, "POST": threads.modify, "DELETE": threads.delete}),
        (f"{thread}/messages", {"GET": messages.list, "POST": messages.create}),
        (
            f"{thread}/messages/{{message_id}}",
            {"GET": messages.retrieve, "POST": messages.modify, "DELETE": messages.delete},
        ),
        (f"{thread}/runs", {"GET": runs.list, "POST": runs.create}),
        (run, {"GET": runs.retrieve, "POST": runs.modify}),
        (f"{run}/cancel", {"POST": runs.cancel}),
        (f"{run}/submit_tool_outputs", {"POST": runs.submit_tool_outputs}),
        (f"{run}/events", {"GET": streams.events}),
        (f"{run}/steps", {"GET": steps.list}),
        (f"{run}/steps/{{step_id}}", {"GET": steps.retrieve}),
    ]


def general_paths(files: FileOperations, models: ModelOperations) -> Paths:
    """Return what apps of the Assistants API use besides it."""
    return [
        ("/v1/files", {"GET": files.list, "POST": KeysItself(files.create)}),
        ("/v1/files/{file_id}", {"GET": files.retrieve, "DELETE": files.delete}),
        ("/v1/files/{file_id}/content", {"GET": files.content}),
        ("/v1/models", {"GET": models.list}),
        ("/v1/models/{model:path}", {"GET": models.retrieve}),
    ]


def paths_of_version_1(assistant_files: AssistantFileOperations, message_files: MessageFileOperations) -> Paths:
    """Return what the Assistants API had in version 1 alone."""
    of_assistant, of_message = (
        f"/v1/{owner}/files" for owner in ("assistants/{assistant_id}", "threads/{thread_id}/messages/{message_id}")
    )
    return [
        (of_assistant, {"GET": assistant_files.list, "POST": assistant_files.create}),
        (f"{of_assistant}/{{file_id}}", {"GET": assistant_files.retrieve, "DELETE": assistant_files.delete}),
        (of_message, {"GET": message_files.list}),
        (f"{of_message}/{{file_id}}", {"GET": message_files.retrieve}),
    ]
