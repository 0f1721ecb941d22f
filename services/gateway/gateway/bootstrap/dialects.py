"""Which dialects are served, and what has to be there before they are."""

import time

from run_engine.process import EngineProcess
from run_engine.store import (
    assistants,
    tenants,
)

from gateway.application.course_assistants import make_missing
from gateway.application.event_feed.feed import EventFeed
from gateway.application.tool_calls import ToolCalls
from gateway.application.use_cases import UseCases
from gateway.entrypoints.http.agents.surface import agents_surface
from gateway.entrypoints.http.app import Surface
from gateway.entrypoints.http.client_address import ClientAddresses
from gateway.entrypoints.http.entities.surface import entities_surface
from gateway.entrypoints.http.openai.document.surface import described
from gateway.entrypoints.http.openai.event_feed import event_feed_surface
from gateway.entrypoints.http.openai.surface import openai_surface
from gateway.entrypoints.http.openai.transfer import transfer_surface
from gateway.entrypoints.http.owlie.surface import owlie_surface
from gateway.entrypoints.http.request_limit import RequestLimit
from gateway.settings import GatewaySettings


def surfaces(
    cases: UseCases, settings: GatewaySettings, tool_calls: ToolCalls | None = None, feed: EventFeed | None = None
) -> list[Surface]:
    """Return the dialects. Tests serve them without a socket, and where they follow no events without the feed."""
    feeds = [] if feed is None else [event_feed_surface(cases.authentication, feed)]
    return [
        *described([openai_surface(cases, settings), transfer_surface(cases), *feeds]),
        entities_surface(cases),
        agents_surface(cases, settings),
        *owlie_surfaces(cases, settings, tool_calls),
    ]


def owlie_surfaces(cases: UseCases, settings: GatewaySettings, tool_calls: ToolCalls | None) -> list[Surface]:
    """Return the Owlie dialect, which is off without keys."""
    if not settings.owlie_key_list or settings.owlie_tenant is None:
        return []
    most, admission = settings.owlie_requests_per_minute, None
    if most:
        admission = RequestLimit(ClientAddresses(settings.trusted_proxy_list), most, time.monotonic)
    return [owlie_surface(cases, settings, settings.owlie_tenant, admission, tool_calls)]


async def prepare_courses(engine: EngineProcess, settings: GatewaySettings) -> None:
    """Make the assistants of the course catalogue that are missing. Raises `CatalogueUnusable` and ValueError."""
    tenant_id = settings.owlie_tenant
    if not settings.owlie_key_list or tenant_id is None:
        return
    if await tenants.Tenants(engine.database).get(tenant_id) is None:
        raise ValueError(f"there is no tenant '{tenant_id}', which THREADWORKS_OWLIE_TENANT names")
    if settings.owlie_catalogue is not None:
        await make_missing(assistants.Assistants(engine.database), tenant_id, settings.owlie_catalogue)
