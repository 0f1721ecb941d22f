"""Puts the dialect together from what `bootstrap` hands in, and says which operations it has."""

from typing import Final

from gateway.application.use_cases import UseCases
from gateway.entrypoints.http.app import Surface
from gateway.entrypoints.http.endpoint import Handlers
from gateway.entrypoints.http.entities.access import EntitiesDialect
from gateway.entrypoints.http.entities.ids import EntityIds
from gateway.entrypoints.http.entities.operations.actions import ActionOperations
from gateway.entrypoints.http.entities.operations.assistants import AssistantOperations
from gateway.entrypoints.http.entities.operations.formatted_messages import FormattedMessages
from gateway.entrypoints.http.entities.operations.messages import MessageOperations
from gateway.entrypoints.http.entities.operations.runs import RunOperations
from gateway.entrypoints.http.entities.operations.threads import ThreadOperations
from gateway.entrypoints.http.entities.operations.tools import ToolOperations
from gateway.entrypoints.http.entities.operations.users import UserOperations
from gateway.entrypoints.http.idempotency import KeyedRequests

PREFIX: Final = "/entities/v1"


def entities_surface(cases: UseCases) -> Surface:
    """Return `/entities/v1`."""
    ids, new_ids = EntityIds(cases.aliases), cases.new_ids
    users = UserOperations(cases.users, ids, new_ids)
    threads = ThreadOperations(cases.threads, cases.users, ids, new_ids)
    messages = MessageOperations(cases.messages, cases.conversations, ids, new_ids)
    formatted = FormattedMessages(cases.conversations, cases.threads, cases.assistants, ids)
    runs = RunOperations(cases.runs, cases.waiting, ids, new_ids)
    assistants = AssistantOperations(cases.assistants, cases.users, ids, new_ids)
    tools = ToolOperations(cases.tools, ids, new_ids)
    actions = ActionOperations(cases.runs, cases.tools, ids)
    user, thread, assistant = "/users/{user_id}", "/threads/{thread_id}", "/assistants/{assistant_id}"
    # `/messages/assistant` stands before `/messages/{message_id}`, which it fits too.
    paths: list[tuple[str, Handlers]] = [
        ("/users", {"POST": users.create}),
        (user, {"GET": users.retrieve, "PUT": users.update, "DELETE": users.delete}),
        (f"{user}/threads", {"GET": users.list_threads}),
        (f"{user}/assistants", {"GET": users.list_assistants}),
        (
            f"{user}{assistant}",
            {"POST": users.associate_assistant, "DELETE": users.disassociate_assistant},
        ),
        ("/threads", {"POST": threads.create}),
        (thread, {"GET": threads.retrieve, "DELETE": threads.delete}),
        (f"{thread}/messages", {"GET": messages.list}),
        (f"{thread}/formatted_messages", {"GET": formatted.list}),
        ("/messages", {"POST": messages.create}),
        ("/messages/assistant", {"POST": messages.save_assistant_message}),
        ("/messages/{message_id}", {"GET": messages.retrieve}),
        ("/messages/{message_id}/tool", {"POST": messages.add_tool_message}),
        ("/runs", {"POST": runs.create}),
        ("/runs/{run_id}", {"GET": runs.retrieve}),
        ("/runs/{run_id}/status", {"PUT": runs.update_status}),
        ("/runs/{run_id}/cancel", {"POST": runs.cancel}),
        ("/runs/{run_id}/actions/status", {"GET": actions.list_by_status}),
        ("/assistants", {"POST": assistants.create}),
        (assistant, {"GET": assistants.retrieve, "PUT": assistants.update}),
        (f"{assistant}/tools", {"GET": tools.list_of_assistant}),
        (f"{assistant}/tools/{{tool_id}}", {"POST": tools.associate, "DELETE": tools.disassociate}),
        ("/tools", {"GET": tools.list, "POST": tools.create}),
        ("/tools/{tool_id}", {"GET": tools.retrieve, "PUT": tools.update, "DELETE": tools.delete}),
        ("/tools/name/{name}", {"GET": tools.retrieve_by_name}),
        ("/actions", {"POST": actions.create}),
        ("/actions/{action_id}", {"GET": actions.retrieve, "PUT": actions.update, "DELETE": actions.delete}),
    ]
    return Surface(
        EntitiesDialect(cases.authentication),
        [(PREFIX + path, handlers) for path, handlers in paths],
        KeyedRequests(cases.idempotency),
        prefix="/entities/",
    )
