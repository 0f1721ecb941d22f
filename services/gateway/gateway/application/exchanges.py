"""Conversations as chat models have them: who asks for calls says so in a message, and tools answer in messages.

Runs keep calls in steps; here they are shown where they belong, and a tool's message that answers a run is handed to
it. For dialects whose clients speak so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple, TypeAlias

from run_engine.domain.call_requests import CallRequest, as_asked, call_requests
from run_engine.domain.drafts import NewMessage, PageRequest
from run_engine.domain.objects import Message, Run, RunStep
from run_engine.domain.sources import Source, sources_of
from run_engine.domain.status import MessageStatus, RunStatus
from run_engine.errors import NotFound
from run_engine.store.conversations import RunCall

from gateway.application.conversation_ports import ConversationStore
from gateway.application.messages import Messages
from gateway.application.ports import ThreadStore
from gateway.application.runs import Runs

_STEPS: Final = PageRequest(limit=100, order="asc")
"""Steps of a run that are looked at: nobody's run calls tools more often."""

_Place: TypeAlias = tuple[str | None, str]
"""A run, and one of its calls that is answered."""


class Said(NamedTuple):
    """One message of a conversation, what kind of object its id is of, and what it rests on, if it is an answer."""

    kind: Literal["message", "tool_call", "step"]
    message: Message
    sources: Sequence[Source] = ()


class Exchanges:
    """Reads conversations, and adds to them. Raises what `Messages` and `Runs` raise."""

    def __init__(
        self,
        conversations: ConversationStore,
        messages: Messages,
        runs: Runs,
        threads: ThreadStore,
    ) -> None:
        self._conversations = conversations
        self._messages = messages
        self._runs = runs
        self._threads = threads

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
        return Said("message", await self._messages.create(tenant_id, thread_id, draft, in_turn=True))

    async def list(self, tenant_id: str, thread_id: str, request: PageRequest) -> Sequence[Said]:
        """Read one page; it has more messages than were asked for where calls come with it.

        A run that waits for its client has what it asks for at the end. Raises `NotFound` for thread and cursor.
        """
        page = await self._conversations.list(tenant_id, thread_id, request)
        ascending = request.order == "asc"
        said = page.items if ascending else page.items[::-1]
        run_ids = dict.fromkeys(message.run_id for message in said if message.run_id is not None)
        waiting = await self._waiting(tenant_id, thread_id)
        if waiting is not None:
            run_ids[waiting.id] = None
        calls = await self._conversations.calls_of(tenant_id, list(run_ids))
        first = {each.step_id: (each.run_id, each.call.id) for each in calls if each.answered_first}
        # What a run has asked for in vain is not shown: in chat models whatever is asked for is answered.
        requests = [
            each
            for run_id in dict.fromkeys(made.run_id for made in calls)
            for each in call_requests(await self._steps(tenant_id, thread_id, run_id))
            if each.step.id != request.after
            and (each.step.id in first or (waiting is not None and waiting.id == each.step.run_id))
        ]
        at_end = not page.has_more if ascending else request.after is None
        asked_in = {each.message_id: each for each in requests if each.message_id is not None}
        before, behind = await self._requests_alone(tenant_id, said, requests, first)
        shown: list[Said] = []
        for message in said:
            if (message.run_id, message.id) in before:
                shown.append(Said("step", _message_of(before[message.run_id, message.id].step)))
            shown.append(_said(message, asked_in.get(message.id), calls))
        if at_end:
            shown += [Said("step", _message_of(each.step)) for each in behind]
        return shown if ascending else shown[::-1]

    async def asking(self, run: Run) -> Said:
        """Return the message in which a run that waits for its client asks for the calls that are open."""
        steps = await self._steps(run.tenant_id, run.thread_id, run.id)
        request = call_requests(steps)[-1]
        calls = as_asked(run.required_calls)
        if request.message_id is None:
            return Said("step", replace(_message_of(request.step), tool_calls=calls))
        message = await self._messages.get(run.tenant_id, run.thread_id, request.message_id)
        return Said("message", replace(message, tool_calls=calls))

    async def _requests_alone(
        self, tenant_id: str, said: Sequence[Message], requests: Sequence[CallRequest], first: Mapping[str, _Place]
    ) -> tuple[Mapping[_Place, CallRequest], Sequence[CallRequest]]:
        """Return the requests that were made without a word: by what answers them first, and those without answers.

        `first` are the first answers by the steps that ask for them.
        """
        answers = {(each.run_id, each.id) for each in said if each.role == "tool"}
        here = {each.id for each in said}
        before: dict[_Place, CallRequest] = {}
        behind: list[CallRequest] = []
        for each in requests:
            place = first.get(each.step.id)
            if each.message_id in here or (place is not None and place not in answers):
                continue
            if each.message_id is not None and await self._is_there(tenant_id, each.step, each.message_id):
                continue
            if place is None:
                behind.append(each)
            else:
                before[place] = each
        return before, behind

    async def _is_there(self, tenant_id: str, step: RunStep, message_id: str) -> bool:
        """Whether a message is elsewhere in the thread; what a client has deleted is nowhere."""
        try:
            await self._messages.get(tenant_id, step.thread_id, message_id)
        except NotFound:
            return False
        return True

    async def _waiting(self, tenant_id: str, thread_id: str) -> Run | None:
        thread = await self._threads.get(tenant_id, thread_id)
        if thread.active_run is None:
            return None
        run = await self._runs.get(tenant_id, thread_id, thread.active_run)
        return run if run.status is RunStatus.REQUIRES_ACTION else None

    async def _steps(self, tenant_id: str, thread_id: str, run_id: str) -> Sequence[RunStep]:
        return (await self._runs.list_steps(tenant_id, thread_id, run_id, _STEPS)).items


def _said(message: Message, request: CallRequest | None, calls: Sequence[RunCall]) -> Said:
    """A message of a page: of a tool, in which calls are asked for, or else with what it rests on."""
    if message.role == "tool":
        return Said("tool_call" if message.tool_call_id == message.id else "message", message)
    if request is not None:
        return Said("message", replace(message, tool_calls=as_asked(request.step.tool_calls)))
    if message.role != "assistant" or message.run_id is None:
        return Said("message", message)
    return Said("message", message, sources_of(message, [each.call for each in calls if each.run_id == message.run_id]))


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
