"""The decoded form of one event. Every service builds and reads these; only the codec knows their wire form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One CloudEvent. `data` fits the schema of `type`, plus fields that this version does not know."""

    type: str
    """Type with its major, e.g. `threadworks.run.queued.v1`."""
    source: str
    """Who made it: `/threadworks/gateway`, `/threadworks/run-orchestrator`, `/threadworks/tool-services/<name>`."""
    subject: str
    """Id of the entity it is about: run, step, message or tool call id, the name of a tool service, or `slot/<n>`."""
    tenant: str | None
    """Owner of the entity. None only for types without one tenant (`tool-service.announced`, `run-delta.produced`)."""
    data: dict[str, Any]
    """The payload, JSON values only."""
    id: str
    """Unique per event, and the same each time that event is published."""
    time: datetime
    """When it happened; aware, UTC."""
    seq: int | None = None
    """Place among the events of its run, growing. None for events that belong to no run."""
    attempt: int | None = None
    """The run's attempt as of the event."""
    correlation_id: str | None = None
    """Shared by everything that one request set off."""
    causation_id: str | None = None
    """`id` of the message that this one answers or follows from."""
    traceparent: str | None = None
    """W3C trace context, version 00."""
