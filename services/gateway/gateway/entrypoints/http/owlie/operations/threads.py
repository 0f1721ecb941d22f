"""Threads: begin one with a greeting, list its messages, ask in it, give it another assistant."""

from typing import Final

from run_engine.domain.drafts import NewThread, PageRequest

from gateway.application.identities import NewIds
from gateway.application.messages import Messages
from gateway.application.ports import ThreadStore
from gateway.application.runs import Runs
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.owlie.encrypted_ids import EncryptedIds
from gateway.entrypoints.http.owlie.presenters import HIDDEN, message, ok, run_status
from gateway.entrypoints.http.owlie.questions import Questions
from gateway.entrypoints.http.owlie.requests import ChangeThread, NewChat, Question, parse

MOST_LISTED: Final = 1_000
"""Messages of a list: the wire has no pages, and no chat of a course has so many."""
MOST_BYTES: Final = 16 * 1024 * 1024
"""Bytes of their content, at the most."""


class ThreadOperations:
    """Handlers for `/api/new`, `/api/threads/{thread_id}` and `/api/change_thread`."""

    def __init__(
        self,
        threads: ThreadStore,
        messages: Messages,
        runs: Runs,
        questions: Questions,
        ids: EncryptedIds,
        *,
        new_ids: NewIds,
        greeting: str,
    ) -> None:
        self._threads = threads
        self._messages = messages
        self._runs = runs
        self._questions = questions
        self._ids = ids
        self._new_ids = new_ids
        self._greeting = greeting

    async def begin(self, call: Call) -> Reply:
        """POST /api/new: a thread, a hidden message that asks for a greeting, and the run that writes it.

        Keys itself: it looks at no key.
        """
        body = await parse(call, NewChat)
        assistant_id = self._ids.id_of("assistant", body.assistant_id)
        thread = NewThread(
            id=self._new_ids.thread(),
            assistant_id=assistant_id,
            messages=[self._questions.message(self._greeting, HIDDEN)],
        )
        run = await self._runs.start_on_new_thread(call.tenant_id, thread, self._questions.run(assistant_id))
        return ok(run_status(self._ids, run))

    async def list_messages(self, call: Call) -> Reply:
        """GET /api/threads/{thread_id}, the newest first."""
        thread_id = self._ids.id_of("thread", call.values["thread_id"])
        request = PageRequest(limit=MOST_LISTED, most_bytes=MOST_BYTES)
        page = await self._messages.list(call.tenant_id, thread_id, request, None)
        return ok({"messages": [message(each) for each in page.items]})

    async def ask(self, call: Call) -> Reply:
        """POST /api/threads/{thread_id}: a message and the run that answers it."""
        body = await parse(call, Question)
        thread_id, draft, messages = await self._questions.asked(
            call.tenant_id, call.values["thread_id"], body.assistant_id, body.content
        )
        return ok(run_status(self._ids, await self._runs.start(call.tenant_id, thread_id, draft, messages)))

    async def change(self, call: Call) -> Reply:
        """POST /api/change_thread: another assistant answers from now on where a question names none."""
        body = await parse(call, ChangeThread)
        thread_id = self._ids.id_of("thread", body.thread_id)
        assistant_id = self._ids.id_of("assistant", body.assistant_id)
        await self._threads.modify(call.tenant_id, thread_id, assistant_id=assistant_id)
        return ok(
            {
                "thread_id": self._ids.token("thread", thread_id),
                "assistant_id": self._ids.token("assistant", assistant_id),
            }
        )
