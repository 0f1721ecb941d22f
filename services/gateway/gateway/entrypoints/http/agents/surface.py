"""Puts the dialect together from what `bootstrap` hands in."""

import time
from collections.abc import Callable

from gateway.application.use_cases import UseCases
from gateway.entrypoints.http.agents.access import AgentsDialect, CallersByKey
from gateway.entrypoints.http.agents.ids import AgentIds
from gateway.entrypoints.http.agents.operations.messages import MessageOperations
from gateway.entrypoints.http.agents.operations.run_streams import RunStreams
from gateway.entrypoints.http.agents.operations.runs import RunOperations
from gateway.entrypoints.http.agents.operations.threads import ThreadOperations
from gateway.entrypoints.http.app import Surface
from gateway.entrypoints.http.idempotency import KeyedRequests, KeysItself
from gateway.entrypoints.http.request_limit import RequestLimit
from gateway.settings import GatewaySettings


def agents_surface(
    cases: UseCases, settings: GatewaySettings, *, clock: Callable[[], float] = time.monotonic
) -> Surface:
    """Return `/agents/v1`. `clock` is monotonic, in seconds."""
    ids, new_ids = AgentIds(cases.aliases), cases.new_ids
    threads = ThreadOperations(cases.threads, cases.users, cases.overviews, ids, new_ids)
    messages = MessageOperations(cases.exchanges, cases.answering, cases.overviews, ids, new_ids)
    runs = RunOperations(
        answering=cases.answering,
        exchanges=cases.exchanges,
        waiting=cases.waiting,
        ids=ids,
        new_ids=new_ids,
        limit=settings.agents_timeout,
    )
    streams = RunStreams(
        answering=cases.answering, exchanges=cases.exchanges, readings=cases.readings, ids=ids, new_ids=new_ids
    )
    thread = "/agents/v1/threads/{thread_id}"
    most = settings.agents_requests_per_minute
    return Surface(
        AgentsDialect(cases.authentication),
        [
            ("/agents/v1/threads", {"GET": threads.list, "POST": threads.create}),
            (thread, {"GET": threads.retrieve, "DELETE": threads.delete}),
            (f"{thread}/messages", {"GET": messages.list, "POST": messages.create}),
            (f"{thread}/run", {"POST": KeysItself(runs.run)}),
            (f"{thread}/run/stream", {"POST": streams.run}),
        ],
        KeyedRequests(cases.idempotency, streams.join),
        prefix="/agents/",
        admission=RequestLimit(CallersByKey(), most, clock) if most else None,
    )
