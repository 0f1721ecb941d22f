"""Generated from the schemas by `python -m message_contracts generate`; do not edit."""

from __future__ import annotations

from typing import Any, TypedDict


class AnnouncedFunctionV1(TypedDict):
    """One function."""

    name: str
    """Name that the model calls. Unique over all services."""

    description: str
    """What the function does, written for the model."""

    parameters: dict[str, Any]
    """JSON Schema of the arguments, handed to the model as it is."""

    timeout_seconds: float
    """How long a run waits for the answer, in seconds."""


class AnnouncedServiceV1(TypedDict):
    """The service and its functions."""

    name: str
    """Name of the service. The Kafka key, and part of the name of its tool-calls topic."""

    functions: list[AnnouncedFunctionV1]
    """Every function the service answers; replaces what it announced before."""

    public_key: str | None
    """X25519 public key for sealed per-user credentials, 32 bytes in standard Base64. Null when the service takes none."""


class ToolServiceAnnouncedV1(TypedDict):
    """A tool service says at start and every minute what it answers. The last announcement of a service counts. Source: the tool service. Subject: service name. Belongs to no tenant."""

    service: AnnouncedServiceV1
    """The service and its functions."""
