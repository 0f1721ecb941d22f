"""Which message is handled by what: the three tables, and the subscriptions that they are read with.

Handlers are short: one statement each. What takes long runs in the driver's tasks.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog
from event_bus import EventBus, Follower, HandlerTable, Message, Subscription, Unavailable
from message_contracts import catalogue
from run_engine.errors import DatabaseUnavailable

from run_orchestrator.application.claiming import Claiming
from run_orchestrator.application.driven_runs import DrivenRuns
from run_orchestrator.application.places import Places
from run_orchestrator.application.tool_registry import ToolRegistry

log = structlog.get_logger(__name__)

SERVICE: Final = "run-orchestrator"
COMMANDS_GROUP: Final = "run-orchestrator"
RESULTS_GROUP: Final = "run-orchestrator-tool-results"
"""A group of its own: answers are never held up by a rebalance of the commands, or by their pause."""

MESSAGE_CREATED: Final = "threadworks.message.created.v1"
RUN_REQUESTED: Final = "threadworks.run.requested.v1"
CANCEL_REQUESTED: Final = "threadworks.run.cancel-requested.v1"
TOOL_CALL_COMPLETED: Final = "threadworks.tool-call.completed.v1"
TOOL_CALL_FAILED: Final = "threadworks.tool-call.failed.v1"
SERVICE_ANNOUNCED: Final = "threadworks.tool-service.announced.v1"

COMMAND_TOPICS: Final = (catalogue.topic_of(MESSAGE_CREATED), catalogue.topic_of(RUN_REQUESTED))
RESULT_TOPIC: Final = catalogue.topic_of(TOOL_CALL_COMPLETED)
ANNOUNCEMENT_TOPIC: Final = catalogue.topic_of(SERVICE_ANNOUNCED)


class Answers(Protocol):
    """Where the outputs of server tool calls go: `run_engine.store.answers.Answers`."""

    async def complete(self, tenant_id: str, run_id: str, call_id: str, output: str) -> bool:
        """Stores an output; False when it changes nothing."""
        ...

    async def fail(self, tenant_id: str, run_id: str, call_id: str, code: str, message: str) -> bool:
        """Stores an error as the output; False when it changes nothing."""
        ...


def command_handlers(claiming: Claiming, driven: DrivenRuns) -> HandlerTable:
    """Wake-ups of runs, and requests to stop one."""

    async def message_created(message: Message) -> None:
        run = message.data.get("run")
        if run is not None:
            await claiming.claim(_tenant(message), run["id"])

    async def run_requested(message: Message) -> None:
        await claiming.claim(_tenant(message), message.data["run"]["id"])

    async def cancel_requested(message: Message) -> None:
        driven.cancel(_tenant(message), message.data["run"]["id"])

    return {
        MESSAGE_CREATED: _while_there_is_a_database(message_created),
        RUN_REQUESTED: _while_there_is_a_database(run_requested),
        CANCEL_REQUESTED: cancel_requested,
    }


def result_handlers(answers: Answers) -> HandlerTable:
    """Answers of tool services. Late and repeated ones change nothing."""

    async def tool_call_completed(message: Message) -> None:
        call = message.data["tool_call"]
        stored = await answers.complete(_tenant(message), call["run_id"], call["id"], message.data["output"])
        _log_answer(call, stored=stored)

    async def tool_call_failed(message: Message) -> None:
        call, error = message.data["tool_call"], message.data["error"]
        stored = await answers.fail(_tenant(message), call["run_id"], call["id"], error["code"], error["message"])
        _log_answer(call, stored=stored, error_code=error["code"])

    return {
        TOOL_CALL_COMPLETED: _while_there_is_a_database(tool_call_completed),
        TOOL_CALL_FAILED: _while_there_is_a_database(tool_call_failed),
    }


def announcement_handlers(registry: ToolRegistry) -> HandlerTable:
    """What tool services say that they answer."""

    async def service_announced(message: Message) -> None:
        service = message.data["service"]
        functions = {function["name"]: float(function["timeout_seconds"]) for function in service["functions"]}
        registry.announce(service["name"], functions)

    return {SERVICE_ANNOUNCED: service_announced}


async def follow_announcements(bus: EventBus, registry: ToolRegistry) -> Follower:
    """Reads all announcements, from the beginning of their topic."""
    return await bus.follow(topic=ANNOUNCEMENT_TOPIC, handlers=announcement_handlers(registry))


async def subscribe_to_results(bus: EventBus, answers: Answers) -> Subscription:
    """Takes the answers of tool services, whatever else goes on: runs cannot end without them."""
    return await bus.subscribe(
        group=RESULTS_GROUP, topics=[RESULT_TOPIC], handlers=result_handlers(answers), service=SERVICE
    )


async def subscribe_to_commands(bus: EventBus, claiming: Claiming, driven: DrivenRuns, places: Places) -> Subscription:
    """Takes wake-ups while there are free places; the rest waits in Kafka, where its lag is seen."""
    subscription = await bus.subscribe(
        group=COMMANDS_GROUP, topics=COMMAND_TOPICS, handlers=command_handlers(claiming, driven), service=SERVICE
    )

    def pause_while_full(full: bool) -> None:
        if full:
            subscription.pause(*COMMAND_TOPICS)
        else:
            subscription.resume(*COMMAND_TOPICS)

    places.watch(pause_while_full)
    return subscription


def _while_there_is_a_database(handler: Callable[[Message], Awaitable[None]]) -> Callable[[Message], Awaitable[None]]:
    async def handle(message: Message) -> None:
        try:
            await handler(message)
        except DatabaseUnavailable as error:
            raise Unavailable(str(error)) from None

    return handle


def _tenant(message: Message) -> str:
    if message.tenant is None:
        raise ValueError(f"{message.type} without a tenant")
    return message.tenant


def _log_answer(call: dict[str, str], *, stored: bool, error_code: str | None = None) -> None:
    log.info(
        "a tool call was answered" if stored else "a tool call was answered too late or twice",
        action="tool_call_answered" if stored else "tool_call_answer_dropped",
        run_id=call["run_id"],
        tool_call_id=call["id"],
        tool_service=call["service"],
        error_code=error_code,
    )
