"""Generated from the schemas by `python -m message_contracts generate`; do not edit."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class RequestedToolCallV1(TypedDict):
    """The call to answer."""

    id: str
    """Id of the tool call. The Kafka key; with ce_tenant and run_id also the key for recognising repeats."""

    run_id: str
    """Id of the run that waits for the answer."""

    step_id: str
    """Id of the step that holds the call."""

    thread_id: str
    """Id of the run's thread. The Kafka key of the answer."""

    service: str
    """Name of the tool service that is to answer."""

    name: str
    """Name of the function, as the service announced it."""

    arguments: str
    """Arguments as JSON text, written by the model; may be malformed or not fit the announced parameters. At most 512 KiB as UTF-8."""

    created_at: str
    """When the call was made, by the database's clock. RFC 3339."""

    deadline: str
    """When the run stops waiting for the answer; later answers are dropped. RFC 3339."""

    credentials: NotRequired[str | None]
    """The user's own credential for the service, which it has to use instead of its own, or answer with a failure. Sealed with the public key that the service announced: the first 16 digits of the key's fingerprint (SHA-256 of its 32 bytes, hexadecimal), a colon, and a libsodium sealed box in standard Base64. In the box is JSON: tenant, thread_id and secret, each a string; the first two have to be those of the call. Null or missing when the user gave none."""


class ToolCallCompletedV1(TypedDict):
    """A tool service answered a call. The first answer counts. Source: the tool service. Subject: tool call id."""

    tool_call: ToolCallReferenceV1
    """The call that is answered."""

    output: str
    """What the model is to read. At most 512 KiB as UTF-8; a service answers longer ones with tool-call.failed, code output_too_large."""


class ToolCallErrorV1(TypedDict):
    """What went wrong."""

    code: str
    """Short machine-readable kind, such as timeout, invalid_arguments or output_too_large. The list is open."""

    message: str
    """Plain sentence for the model; holds no secrets."""


class ToolCallFailedV1(TypedDict):
    """A tool service could not answer a call; the model is told why. The first answer counts. Source: the tool service. Subject: tool call id."""

    tool_call: ToolCallReferenceV1
    """The call that failed."""

    error: ToolCallErrorV1
    """What went wrong."""


class ToolCallReferenceV1(TypedDict):
    """Names the tool call that an answer belongs to; copied from the request."""

    id: str
    """Id of the tool call."""

    run_id: str
    """Id of the run that waits for the answer."""

    thread_id: str
    """Id of the run's thread. The Kafka key of the answer."""

    service: str
    """Name of the tool service that answers."""


class ToolCallRequestedV1(TypedDict):
    """The model called a function of a tool service, or a client did outside of any run. Delivered at least once: answer a repeated call with the same answer. Source: run-orchestrator, or gateway for calls outside of runs, whose run and thread do not exist. Subject: tool call id."""

    tool_call: RequestedToolCallV1
    """The call to answer."""
