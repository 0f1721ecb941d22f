"""Bodies that start runs and say how they stand.

The original's client library fills in every field of a run, with values that say nothing: the model `llama3.1`, no
tools, 500 tokens for the prompt. What a run is made of is its assistant's; the body names assistant and thread, and may
bring instructions and meta data of its own. All else is passed over.
"""

from typing import Literal

from run_engine.domain.drafts import UNSET, NewRun

from gateway.application.identities import NewIds
from gateway.entrypoints.http.entities.requests.fields import Body, GivenId, MetaData, Text


class CreateRun(Body):
    """The body of POST /runs. Empty instructions are the assistant's."""

    assistant_id: GivenId
    thread_id: GivenId
    instructions: Text | None = None
    meta_data: MetaData | None = None

    def draft(self, new_ids: NewIds, assistant_id: str) -> NewRun:
        """Return the run to be started; `assistant_id` is the engine's id."""
        return NewRun(
            id=new_ids.run(),
            assistant_id=assistant_id,
            instructions=self.instructions or UNSET,
            metadata=self.meta_data or {},
        )


StatusWord = Literal[
    "pending",
    "queued",
    "processing",
    "in_progress",
    "retrying",
    "action_required",
    "cancelling",
    "cancelled",
    "completed",
    "failed",
    "expired",
]
"""The statuses of the original, of runs and of actions."""


class UpdateRunStatus(Body):
    """The body of PUT /runs/{run_id}/status."""

    status: StatusWord
