"""From a tool-call.requested to its answer on the results topic. The handler that `runner` subscribes with.

Whatever a function does, its call is answered: with its output, or with a failure that the model can understand. The
answer is published before the handler returns, so the offset is committed only after it.
"""

import asyncio
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta

import structlog
from event_bus import Message, OutgoingRecord, Publisher, Unavailable
from message_contracts import InvalidMessage
from observability import masked_meanwhile
from observability.tracing import Span, span
from pydantic import SecretStr

from tool_service import calls, errors
from tool_service.calls import ToolCall
from tool_service.context import ToolContext
from tool_service.errors import ToolError
from tool_service.function import ToolFunction
from tool_service.metrics import UNKNOWN, ToolMeter
from tool_service.recent_answers import Key, RecentAnswers
from tool_service.sealing import CannotOpen, SealingKeys

log = structlog.get_logger(__name__)

_CANCEL_SECONDS = 1.0


class Answering:
    """Executes calls, each one once at a time, and publishes their answers."""

    def __init__(
        self,
        functions: Mapping[str, ToolFunction],
        publisher: Publisher,
        *,
        clock: Callable[[], datetime],
        recent: RecentAnswers,
        meter: ToolMeter,
        keys: SealingKeys | None = None,
    ) -> None:
        self._functions = functions
        self._publisher = publisher
        self._clock = clock
        self._recent = recent
        self._meter = meter
        self._keys = SealingKeys() if keys is None else keys
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._executions: set[asyncio.Task[str]] = set()

    async def handle(self, message: Message) -> None:
        """Answer one call. A repeat joins the execution that is under way, or publishes the known answer again.

        Raises Unavailable while the answer cannot be published; it is kept for the next delivery.
        """
        call = calls.read_call(message)
        task = self._running.get(call.key)
        if task is None:
            task = asyncio.create_task(self._answer(call), name=f"tool-call:{call.call_id}")
            self._running[call.key] = task
            task.add_done_callback(lambda done: self._ended(call.key, done))
        # Shielded: a delivery that is given up (a rebalance) must not end the execution that another one has joined.
        await asyncio.shield(task)

    async def stop(self) -> None:
        """Cancel what is still running: it was not acknowledged, so it is delivered again."""
        unfinished = {*self._running.values(), *self._executions}
        for task in unfinished:
            task.cancel()
        if unfinished:
            # A function that does not let itself be cancelled is left behind: the process is about to end.
            await asyncio.wait(unfinished, timeout=_CANCEL_SECONDS)

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # seen here, because every delivery that waited for it may be gone

    def _executed(self, execution: asyncio.Task[str]) -> None:
        self._executions.discard(execution)
        if not execution.cancelled():
            execution.exception()  # seen here, because past the deadline nobody waits for it any more

    async def _answer(self, call: ToolCall) -> None:
        record = self._recent.get(call.key)
        if record is None:
            record = await self._execute(call)
            self._recent.put(call.key, record)
        else:
            log.info("answered a repeated call again", action="tool_call_repeated", **_names(call))
        if not await self._published(record, call):
            substitute = ToolError(errors.INTERNAL_ERROR, f"The answer of {call.function} could not be delivered.")
            record = calls.failed(call, substitute, self._clock())
            self._recent.put(call.key, record)
            await self._published(record, call)

    async def _published(self, record: OutgoingRecord, call: ToolCall) -> bool:
        """Publish; False if this record can never be published. Raises Unavailable if it may succeed later."""
        (outcome,) = await self._publisher.publish([record])
        if outcome is None:
            return True
        log.warning(
            "an answer was not published",
            action="tool_answer_not_published",
            reason=outcome.reason,
            retryable=outcome.retryable,
            **_names(call),
        )
        if outcome.retryable:
            raise Unavailable(f"the answer was not published: {outcome.reason}")
        return False

    async def _execute(self, call: ToolCall) -> OutgoingRecord:
        known = call.function if call.function in self._functions else UNKNOWN
        began = self._clock()
        with span(f"tool {known}", attributes={"threadworks.tool_call_id": call.call_id}) as execution:
            try:
                output = await self._output(call, began)
                record = calls.completed(call, output, self._clock())
            except InvalidMessage:  # JSON escapes can make a record too large that has a short enough output
                return self._failed(call, _too_large(call), began, execution)
            except ToolError as error:
                return self._failed(call, error, began, execution)
        seconds = self._seconds_since(began)
        log.info("answered", action="tool_call_completed", seconds=seconds, **_names(call))
        self._meter.called(call.service, known, "completed", seconds)
        return record

    def _failed(self, call: ToolCall, error: ToolError, began: datetime, execution: Span) -> OutgoingRecord:
        outcome = "deadline_exceeded" if error.code == errors.DEADLINE_EXCEEDED else "failed"
        known = call.function if call.function in self._functions else UNKNOWN
        self._meter.called(call.service, known, outcome, self._seconds_since(began))
        execution.failed(outcome)
        log.info(
            "answered with a failure",
            action="tool_call_failed",
            code=error.code,
            seconds=self._seconds_since(began),
            **_names(call),
        )
        try:
            return calls.failed(call, error, self._clock())
        except InvalidMessage:  # a function's own error without code or message, or with text that no record takes
            return calls.failed(call, _internal(call), self._clock())

    async def _output(self, call: ToolCall, now: datetime) -> str:
        """Execute the function. Raises ToolError for everything that is no output."""
        function = self._functions.get(call.function)
        if function is None:
            known = ", ".join(sorted(self._functions))
            raise ToolError(
                errors.UNKNOWN_FUNCTION,
                f"The tool service {call.service} has no function called {call.function}. It has: {known}.",
            )
        deadline = min(call.deadline, now + timedelta(seconds=function.timeout))
        if deadline <= now:
            raise ToolError(
                errors.DEADLINE_EXCEEDED,
                f"{call.function} was not executed: its time was over before the call arrived. It can be called again.",
            )
        context = ToolContext(
            tenant=call.tenant,
            run_id=call.run_id,
            thread_id=call.thread_id,
            call_id=call.call_id,
            deadline=deadline,
            credential=self._credential(call),
            clock=self._clock,
        )
        secret = context.credential
        with nullcontext() if secret is None else masked_meanwhile(secret.get_secret_value()):
            output = await self._within(context, function, call)
        try:
            size = len(output.encode())
        except UnicodeEncodeError:  # half a surrogate pair, out of some other program's JSON
            output = output.encode(errors="replace").decode()
            size = len(output.encode())
        if size > calls.MAX_OUTPUT_BYTES:
            raise _too_large(call)
        return output

    def _credential(self, call: ToolCall) -> SecretStr | None:
        """Open the user's credential. A call whose credential cannot be opened fails: without it, the user might be
        told what only the service may see.
        """
        if call.credentials is None:
            return None
        try:
            return self._keys.open(call.credentials, tenant=call.tenant, thread_id=call.thread_id)
        except CannotOpen:
            log.warning("a credential cannot be opened", action="tool_credential_unusable", **_names(call))
            raise ToolError(
                errors.CREDENTIAL_UNUSABLE,
                f"{call.function} was not executed: the user's own access to {call.service}, which was given for this "
                "conversation, cannot be used any more. The user has to give it again; calling again does not help.",
            ) from None

    async def _within(self, context: ToolContext, function: ToolFunction, call: ToolCall) -> str:
        execution = asyncio.create_task(function.call(call.arguments, context), name=f"tool-function:{function.name}")
        self._executions.add(execution)
        execution.add_done_callback(self._executed)
        try:
            # Not `timeout`: a function that does not let itself be cancelled must not keep its call waiting.
            done, _ = await asyncio.wait({execution}, timeout=context.time_left())
        except asyncio.CancelledError:
            execution.cancel()
            raise
        if not done:
            execution.cancel()
            raise ToolError(
                errors.DEADLINE_EXCEEDED,
                f"{function.name} did not finish in time. It can be called again, perhaps later.",
            )
        if execution.cancelled():
            raise _internal(call)
        error = execution.exception()
        if error is None:
            return execution.result()
        if isinstance(error, ToolError):
            raise error
        # Where it failed, but not what the error says: its text may quote arguments or results.
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error(
            "a tool function failed",
            action="tool_function_failed",
            error_class=type(error).__name__,
            traceback=frames,
            **_names(call),
        )
        raise _internal(call)

    def _seconds_since(self, began: datetime) -> float:
        return round((self._clock() - began).total_seconds(), 3)


def _internal(call: ToolCall) -> ToolError:
    return ToolError(
        errors.INTERNAL_ERROR,
        f"{call.function} failed because of an error inside the tool service. It can be called again later; if that "
        "lasts, an administrator should look into the logs of the service.",
    )


def _too_large(call: ToolCall) -> ToolError:
    limit = calls.MAX_OUTPUT_BYTES // 1024
    return ToolError(
        errors.OUTPUT_TOO_LARGE,
        f"The output of {call.function} is larger than {limit} KiB, which is the most a tool may return. Ask for less.",
    )


def _names(call: ToolCall) -> dict[str, str]:
    """What identifies a call in the log; never its arguments or its output."""
    return {
        "tenant": call.tenant,
        "run_id": call.run_id,
        "tool_call_id": call.call_id,
        "function": call.function,
    }
