"""`ToolBus` on the event bus: a call goes out as an event, and its answer is looked for where all answers go by.

Answers belong to the orchestrators' group, which drops those of runs that do not exist. So a caller reads the topic of
the answers for itself, from its end on, while it waits, and no longer: answers of all runs go by there.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from event_bus import EventBus, Follower, Message, OutgoingRecord
from message_contracts import ContractError, catalogue, codec
from observability.trace_context import current_traceparent
from run_engine.domain import ids

from gateway.application.tool_calls import AnnouncedFunction, ToolCallFailed, ToolServicesAway

REQUESTED: Final = "threadworks.tool-call.requested.v1"
COMPLETED: Final = "threadworks.tool-call.completed.v1"
FAILED: Final = "threadworks.tool-call.failed.v1"
ANNOUNCED: Final = "threadworks.tool-service.announced.v1"

_SUBJECT: Final = "ce_subject"


class ToolServicesOnBus:
    """Asks the tool services on a started bus. `clock` gives the time of day, in UTC."""

    def __init__(self, bus: EventBus, *, clock: Callable[[], datetime], new_number: Callable[[], UUID] = uuid4) -> None:
        self._bus = bus
        self._clock = clock
        self._new_number = new_number
        self._functions: dict[str, Mapping[str, float]] = {}
        self._follower: Follower | None = None

    async def announced(self, name: str) -> Sequence[AnnouncedFunction]:
        """See `ToolBus.announced`. The announcements are followed from the first question on."""
        if self._follower is None:
            self._follower = await self._bus.follow(
                topic=catalogue.topic_of(ANNOUNCED), handlers={ANNOUNCED: self._hear}
            )
        await self._follower.caught_up()
        return [
            AnnouncedFunction(service, name, functions[name])
            for service, functions in self._functions.items()
            if name in functions
        ]

    async def ask(self, tenant_id: str, function: AnnouncedFunction, arguments: str, seconds: float) -> str:
        """See `ToolBus.ask`."""
        call_id = ids.render("tool_call", self._new_number())
        record = self._record(tenant_id, function, call_id, arguments, seconds)
        answers = await self._bus.read(topics=[catalogue.topic_of(COMPLETED)])
        try:
            # It stands at the end of the topic now, so the answer comes after that.
            await answers.read()
            (outcome,) = await self._bus.publisher.publish([record])
            if outcome is not None:
                raise ToolServicesAway
            while True:
                for each in (await answers.read()).records:
                    if (_SUBJECT, call_id.encode()) in each.headers and each.value is not None:
                        return _output(codec.decode(each.headers, each.value))
        except ContractError:
            raise ToolCallFailed("invalid_answer", "The tool service has answered with something else.") from None
        finally:
            await answers.stop()

    async def _hear(self, message: Message) -> None:
        service = message.data["service"]
        self._functions[service["name"]] = {
            each["name"]: float(each["timeout_seconds"]) for each in service["functions"]
        }

    def _record(
        self, tenant_id: str, function: AnnouncedFunction, call_id: str, arguments: str, seconds: float
    ) -> OutgoingRecord:
        now = self._clock()
        number = self._new_number()
        call: dict[str, Any] = {
            "id": call_id,
            # There is no such run: whoever looks for it finds nothing, and so an answer changes nothing.
            "run_id": ids.render("run", number),
            "step_id": ids.render("step", number),
            "thread_id": ids.render("thread", number),
            "service": function.service,
            "name": function.name,
            "arguments": arguments,
            "created_at": now.isoformat(),
            "deadline": (now + timedelta(seconds=seconds)).isoformat(),
        }
        message = Message(
            type=REQUESTED,
            source="/threadworks/gateway",
            subject=call_id,
            tenant=tenant_id,
            data={"tool_call": call},
            id=str(self._new_number()),
            time=now,
            traceparent=current_traceparent(),
        )
        encoded = codec.encode(message)
        topic = catalogue.topic_of(REQUESTED, service=function.service)
        return OutgoingRecord(topic=topic, key=call_id.encode(), value=encoded.value, headers=encoded.headers)


def _output(answer: Message) -> str:
    if answer.type == COMPLETED:
        return str(answer.data["output"])
    error = answer.data["error"]
    raise ToolCallFailed(error["code"], error["message"])
