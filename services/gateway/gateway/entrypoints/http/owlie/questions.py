"""A student's question, as the engine takes it: the message and the run that answers it, in one commit."""

from typing import NamedTuple

from run_engine.domain.drafts import NewMessage, NewRun
from run_engine.domain.objects import Metadata

from gateway.application.identities import NewIds
from gateway.application.ports import ThreadStore
from gateway.entrypoints.http.owlie.encrypted_ids import EncryptedIds
from gateway.entrypoints.http.owlie.refusals import Refusal


class Asked(NamedTuple):
    """What is to be started."""

    thread_id: str
    run: NewRun
    messages: tuple[NewMessage, ...]


class Questions:
    """Makes drafts of what clients ask."""

    def __init__(self, threads: ThreadStore, ids: EncryptedIds, new_ids: NewIds) -> None:
        self._threads = threads
        self._ids = ids
        self._new_ids = new_ids

    async def asked(self, tenant_id: str, thread: str, assistant: str | None, text: str) -> Asked:
        """Return the drafts for a question in a thread to an assistant; without one, to the thread's own.

        Thread and assistant are tokens. Raises `UnknownToken`, `NotFound` and `Refusal`.
        """
        thread_id = self._ids.id_of("thread", thread)
        if assistant is None:
            assistant_id = (await self._threads.get(tenant_id, thread_id)).assistant_id
            if assistant_id is None:
                raise Refusal(422, "assistant_id: the thread has no assistant of its own, so one has to be named")
        else:
            assistant_id = self._ids.id_of("assistant", assistant)
        return Asked(thread_id, self.run(assistant_id), (self.message(text),))

    def run(self, assistant_id: str) -> NewRun:
        """Return the draft of a run."""
        return NewRun(id=self._new_ids.run(), assistant_id=assistant_id)

    def message(self, text: str, metadata: Metadata | None = None) -> NewMessage:
        """Return the draft of a user's message."""
        content = [{"type": "text", "text": {"value": text, "annotations": []}}]
        return NewMessage(id=self._new_ids.message(), role="user", content=content, metadata=metadata or {})
