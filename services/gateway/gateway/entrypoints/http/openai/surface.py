"""Puts the dialect together from what `bootstrap` hands in."""

from typing import Final

from gateway.application.use_cases import UseCases
from gateway.entrypoints.http.app import Surface
from gateway.entrypoints.http.idempotency import KeyedRequests
from gateway.entrypoints.http.openai.access import OpenAIDialect
from gateway.entrypoints.http.openai.operations.assistants import AssistantOperations
from gateway.entrypoints.http.openai.operations.files import FileOperations
from gateway.entrypoints.http.openai.operations.messages import MessageOperations
from gateway.entrypoints.http.openai.operations.models import ModelOperations
from gateway.entrypoints.http.openai.operations.run_streams import RunStreams
from gateway.entrypoints.http.openai.operations.runs import RunOperations
from gateway.entrypoints.http.openai.operations.steps import StepOperations
from gateway.entrypoints.http.openai.operations.threads import ThreadOperations
from gateway.entrypoints.http.openai.paths import paths
from gateway.settings import GatewaySettings

_GENERAL: Final = ("/v1/files", "/v1/models")


def openai_surface(cases: UseCases, settings: GatewaySettings) -> Surface:
    """Return `/v1`."""
    streams = RunStreams(cases.readings, cases.threads)
    attached, new_ids = cases.attached_files, cases.new_ids
    operations = paths(
        assistants=AssistantOperations(cases.assistants, new_ids),
        threads=ThreadOperations(cases.threads, attached, new_ids),
        messages=MessageOperations(cases.messages, attached, new_ids),
        runs=RunOperations(cases.runs, streams, attached, new_ids, poll_after_ms=settings.poll_after_ms),
        streams=streams,
        steps=StepOperations(cases.runs),
        files=FileOperations(cases.files, new_ids, largest_file=settings.largest_file),
        models=ModelOperations(cases.models),
    )
    dialect = OpenAIDialect(cases.authentication, require_beta_header=settings.require_beta_header)
    # Files and models are no part of the Assistants API: the SDKs send no beta header with them.
    general = OpenAIDialect(cases.authentication, require_beta_header=False)
    exempt = {path: general for path, _ in operations if path.startswith(_GENERAL)}
    return Surface(dialect, operations, KeyedRequests(cases.idempotency, streams.join), exempt)
