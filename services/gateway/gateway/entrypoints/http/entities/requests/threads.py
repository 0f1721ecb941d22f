"""The body that creates a thread."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from run_engine.domain.drafts import NewThread

from gateway.application.identities import NewIds
from gateway.entrypoints.http.entities.requests.fields import Body, GivenId, MetaData


class CreateThread(Body):
    """The body of POST /threads."""

    participant_ids: Annotated[list[GivenId], Field(fail_fast=True, max_length=1000)]
    meta_data: MetaData | None = None

    def draft(self, new_ids: NewIds, participants: Sequence[str]) -> NewThread:
        """Return the thread to be stored; `participants` are the engine's ids."""
        return NewThread(id=new_ids.thread(), metadata=self.meta_data or {}, participants=participants)
