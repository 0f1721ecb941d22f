"""`ToolBus` on the event bus: a call goes out as an event, and its answer is looked for where all answers go by.

`PublicKeys` is here, too, because keys come with the announcements.

Answers belong to the orchestrators' group, which drops those of runs that do not exist. So a caller reads the topic of
the answers for itself, from its end on, while it waits, and no longer: answers of all runs go by there.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from event_bus import EventBus, Follower, Message, OutgoingRecord
from message_contracts import ContractError, catalogue, codec
from observability.trace_context import current_traceparent
from run_engine.domain import ids

from gateway.adapters.sealing import fingerprint_of
from gateway.application.credentials import KeysNotKnown
from gateway.application.tool_calls import AnnouncedFunction, ToolCallFailed, ToolServicesAway

REQUESTED: Final = "threadworks.tool-call.requested.v1"
COMPLETED: Final = "threadworks.tool-call.completed.v1"
FAILED: Final = "threadworks.tool-call.failed.v1"
ANNOUNCED: Final = "threadworks.tool-service.announced.v1"

KEY_SECONDS: Final = 5.0
"""How long a request waits for the first look at the announcements."""

_SUBJECT: Final = "ce_subject"

log = structlog.get_logger(__name__)


class ToolServicesOnBus:
    """Asks the tool services on a started bus. `clock` gives the time of day, in UTC.

    `trusted` are the fingerprints of keys by service; where there are any, no other key of any service is taken.
    """

    def __init__(
        self,
        bus: EventBus,
        *,
        clock: Callable[[], datetime],
        new_number: Callable[[], UUID] = uuid4,
        trusted: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._new_number = new_number
        self._functions: dict[str, Mapping[str, float]] = {}
        self._trusted = dict(trusted or {})
        self._keys: dict[str, str | None] = {}
        self._distrusted: set[tuple[str, str]] = set()
        self._follower: Follower | None = None
        self._following = asyncio.Lock()

    async def announced(self, name: str) -> Sequence[AnnouncedFunction]:
        """See `ToolBus.announced`. The announcements are followed from the first question on."""
        await self._caught_up()
        return [
            AnnouncedFunction(service, name, functions[name])
            for service, functions in self._functions.items()
            if name in functions
        ]

    async def public_key(self, service: str) -> str | None:
        """See `PublicKeys.public_key`."""
        try:
            async with asyncio.timeout(KEY_SECONDS):
                await self._caught_up()
        except TimeoutError:
            raise KeysNotKnown from None
        return self._keys.get(service)

    async def ask(
        self,
        tenant_id: str,
        function: AnnouncedFunction,
        arguments: str,
        seconds: float,
        credentials: Callable[[str], str] | None = None,
    ) -> str:
        """See `ToolBus.ask`."""
        call_id = ids.render("tool_call", self._new_number())
        record = self._record(tenant_id, function, call_id, arguments, seconds, credentials=credentials)
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

    async def _caught_up(self) -> None:
        async with self._following:
            if self._follower is None:
                self._follower = await self._bus.follow(
                    topic=catalogue.topic_of(ANNOUNCED), handlers={ANNOUNCED: self._hear}
                )
        await self._follower.caught_up()

    async def _hear(self, message: Message) -> None:
        service = message.data["service"]
        self._hear_key(service["name"], service["public_key"])
        self._functions[service["name"]] = {
            each["name"]: float(each["timeout_seconds"]) for each in service["functions"]
        }

    def _hear_key(self, service: str, key: str | None) -> None:
        if key is None or not self._trusted or fingerprint_of(key) in self._trusted.get(service, ()):
            self._keys[service] = key
        elif (service, key) not in self._distrusted:
            self._distrusted.add((service, key))
            log.warning(
                "a tool service announces a key that no setting pins",
                action="tool_key_refused",
                tool_service=service,
                fingerprint=fingerprint_of(key),
            )

    def _record(
        self,
        tenant_id: str,
        function: AnnouncedFunction,
        call_id: str,
        arguments: str,
        seconds: float,
        *,
        credentials: Callable[[str], str] | None,
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
        if credentials is not None:
            call["credentials"] = credentials(call["thread_id"])
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
