"""Conversations as chat models have them: who asks for calls says so in a message, and tools answer in messages.

Runs keep calls in steps; here they are shown where they belong, and a tool's message that answers a run is handed to
it. For dialects whose clients speak so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from run_engine.domain.call_requests import CallRequest, as_asked, call_requests
from run_engine.domain.drafts import NewMessage, PageRequest
from run_engine.domain.objects import Message, Run, RunStep
from run_engine.domain.status import MessageStatus, RunStatus
from run_engine.domain.turns import Turn

from gateway.application.answering import Answering
from gateway.application.conversation_ports import ConversationStore
from gateway.application.messages import Messages
from gateway.application.ports import ThreadStore
from gateway.application.runs import Runs

_STEPS: Final = PageRequest(limit=100, order="asc")
"""Steps of a run that are looked at: nobody's run calls tools more often."""


class Said(NamedTuple):
    """One message of a conversation, and what kind of object its id is of."""

    kind: Literal["message", "tool_call", "step"]
    message: Message


class Exchanges:
    """Reads conversations, and adds to them. Raises what `Messages` and `Runs` raise."""

    def __init__(
        self,
        conversations: ConversationStore,
        messages: Messages,
        runs: Runs,
        threads: ThreadStore,
        answering: Answering,
    ) -> None:
        self._conversations = conversations
        self._messages = messages
        self._runs = runs
        self._threads = threads
        self._answering = answering

    async def add(self, tenant_id: str, thread_id: str, draft: NewMessage) -> Said:
        """Add a message. A tool's that answers an open call of a run is the output of that call.

        Raises `Unanswerable` for a message that may not follow, `ThreadBusy`, and `NotFound`.
        """
        thread = await self._threads.get(tenant_id, thread_id)
        if draft.role == "tool" and draft.tool_call_id is not None and thread.active_run is not None:
            calls = await self._runs.tool_calls(tenant_id, thread.active_run)
            if any(call.id == draft.tool_call_id and call.service is None for call in calls):
                output = (draft.tool_call_id, _text_of(draft))
                await self._runs.answer(tenant_id, thread_id, thread.active_run, [output])
                return Said("tool_call", await self._conversations.get(tenant_id, draft.tool_call_id))
        if thread.active_run is None:
            calls_asked = tuple(call["id"] for call in draft.tool_calls or ())
            turn = Turn(draft.role, calls_asked, draft.tool_call_id)
            await self._answering.check_next(tenant_id, thread_id, turn)
        return Said("message", await self._messages.create(tenant_id, thread_id, draft))

    async def list(self, tenant_id: str, thread_id: str, request: PageRequest) -> Sequence[Said]:
        """Read one page; it has more messages than were asked for where calls come with it.

        A run that waits for its client has what it asks for at the end. Raises `NotFound` for thread and cursor.
        """
        page = await self._conversations.list(tenant_id, thread_id, request)
        said = list(page.items)
        run_ids = dict.fromkeys(message.run_id for message in said if message.role == "tool" and message.run_id)
        waiting = await self._waiting(tenant_id, thread_id)
        if waiting is not None:
            run_ids[waiting.id] = None
        requests = [
            each for run_id in run_ids for each in call_requests(await self._steps(tenant_id, thread_id, run_id))
        ]
        at_end = not page.has_more if request.order == "asc" else request.after is None
        shown = _with_requests(said if request.order == "asc" else list(reversed(said)), requests, at_end=at_end)
        return shown if request.order == "asc" else list(reversed(shown))

    async def asking(self, run: Run) -> Said:
        """Return the message in which a run that waits for its client asks for the calls that are open."""
        steps = await self._steps(run.tenant_id, run.thread_id, run.id)
        request = call_requests(steps)[-1]
        calls = as_asked(run.required_calls)
        if request.message_id is None:
            return Said("step", replace(_message_of(request.step), tool_calls=calls))
        message = await self._messages.get(run.tenant_id, run.thread_id, request.message_id)
        return Said("message", replace(message, tool_calls=calls))

    async def _waiting(self, tenant_id: str, thread_id: str) -> Run | None:
        thread = await self._threads.get(tenant_id, thread_id)
        if thread.active_run is None:
            return None
        run = await self._runs.get(tenant_id, thread_id, thread.active_run)
        return run if run.status is RunStatus.REQUIRES_ACTION else None

    async def _steps(self, tenant_id: str, thread_id: str, run_id: str) -> Sequence[RunStep]:
        return (await self._runs.list_steps(tenant_id, thread_id, run_id, _STEPS)).items


def _with_requests(said: Sequence[Message], requests: Sequence[CallRequest], *, at_end: bool) -> list[Said]:
    """Messages, oldest first, with the requests for calls: in what was said with them, else before the first answer."""
    in_message = {each.message_id: each for each in requests if each.message_id is not None}
    before = _first_answers(said, [each for each in requests if each.message_id not in {m.id for m in said}])
    shown: list[Said] = []
    for message in said:
        asked = before.get(message.id)
        if asked is not None:
            shown.append(Said("step", _message_of(asked.step)))
        answers_run = message.role == "tool" and message.tool_call_id == message.id
        shown.append(Said("tool_call" if answers_run else "message", _asking(message, in_message.get(message.id))))
    if at_end:
        placed = {each.step.id for each in (*before.values(), *in_message.values())}
        shown += [
            Said("step", _message_of(each.step))
            for each in requests
            if each.step.id not in placed and all(call.output is None for call in each.step.tool_calls)
        ]
    return shown


def _asking(message: Message, request: CallRequest | None) -> Message:
    return message if request is None else replace(message, tool_calls=as_asked(request.step.tool_calls))


def _first_answers(said: Iterable[Message], requests: Sequence[CallRequest]) -> Mapping[str, CallRequest]:
    """The requests by the first of their answers among the messages."""
    of_call = {call.id: each for each in requests for call in each.step.tool_calls}
    found: dict[str, CallRequest] = {}
    seen: set[str] = set()
    for message in said:
        request = of_call.get(message.id)
        if request is not None and request.step.id not in seen:
            seen.add(request.step.id)
            found[message.id] = request
    return found


def _message_of(step: RunStep) -> Message:
    """A request for calls as a message of its own, under the id of its step."""
    return Message(
        id=step.id,
        thread_id=step.thread_id,
        created_at=step.created_at,
        status=MessageStatus.COMPLETED,
        incomplete_details=None,
        completed_at=step.created_at,
        incomplete_at=None,
        role="assistant",
        content=[],
        assistant_id=step.assistant_id,
        run_id=step.run_id,
        attachments=[],
        metadata={},
        tool_calls=as_asked(step.tool_calls),
    )


def _text_of(draft: NewMessage) -> str:
    return "".join(part["text"]["value"] for part in draft.content if part.get("type") == "text")
