"""Generated from the schemas by `python -m message_contracts generate`; do not edit."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class RunDeltaCallV1(TypedDict):
    """The tool call that begins. Present in the first piece of each tool call."""

    id: str
    """Id of the tool call."""

    name: str
    """Name of the function, as the model wrote it."""


class RunDeltaEventV1(TypedDict):
    """Copy of a lifecycle event of the run, sent after it was committed."""

    seq: int
    """Place among the events of the run, as ce_seq on threadworks.run-events.v1."""

    type: str
    """Message type with its major, e.g. threadworks.run.in_progress.v1. Skip one that is not known."""

    subject: str
    """Id of the run, step or message that the event is about."""

    data: dict[str, Any]
    """The event's data, as the schema of its type says."""

    created_at: str
    """When it happened, by the database's clock. RFC 3339."""


class RunDeltaPieceV1(TypedDict):
    """One piece about one run: a copy of a lifecycle event (event), text as the model writes it (step_id, part, offset, text, call), or a hint that there is something new in the database (seq). A piece with none of these is of a kind that this version does not know: skip it."""

    tenant_id: str
    """Owner of the run. Run ids may repeat between tenants."""

    run_id: str
    """Id of the run, as the API shows it."""

    event: NotRequired[RunDeltaEventV1]
    """Copy of a lifecycle event of the run, sent after it was committed."""

    step_id: NotRequired[str]
    """Id of the step that the text belongs to. A later attempt has another step."""

    part: NotRequired[str | int]
    """What of the step the text belongs to: the text or the refusal of its message, or the tool call with this index. New names may be added."""

    offset: NotRequired[int]
    """Code points of this part before the text of this piece. Lower than what is known: a repeat. Higher: a gap, which the final text fills."""

    text: NotRequired[str]
    """What comes next of this part. May be empty, as in the first piece of a tool call."""

    call: NotRequired[RunDeltaCallV1]
    """The tool call that begins. Present in the first piece of each tool call."""

    seq: NotRequired[int]
    """Events of the run are committed up to this place: read what is missing from the database."""


class RunDeltaProducedV1(TypedDict):
    """News of streamed runs for one gateway, in the order in which they came about. May be lost or repeated: what counts is stored. Source: run-orchestrator. Subject: slot/<number of the partition>. One record may hold pieces of several tenants, so it has none itself."""

    pieces: list[RunDeltaPieceV1]
    """The news, in order. An empty list says nothing."""
