"""Puts the dialect together from what `bootstrap` hands in."""

from typing import Final

from gateway.application.attached_files import AttachedFiles
from gateway.application.authentication import Authentication
from gateway.application.files import Files
from gateway.application.idempotency import Idempotency
from gateway.application.identities import NewIds
from gateway.application.messages import Messages
from gateway.application.models import Models
from gateway.application.ports import AssistantStore, ThreadStore
from gateway.application.runs import Runs
from gateway.application.streams.readings import Readings
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

_GENERAL: Final = ("/v1/files", "/v1/models")


def openai_surface(
    *,
    authentication: Authentication,
    assistants: AssistantStore,
    threads: ThreadStore,
    messages: Messages,
    runs: Runs,
    readings: Readings,
    files: Files,
    attached_files: AttachedFiles,
    largest_file: int,
    models: Models,
    idempotency: Idempotency,
    new_ids: NewIds,
    poll_after_ms: int,
    require_beta_header: bool,
) -> Surface:
    """Return `/v1`."""
    streams = RunStreams(readings, threads)
    operations = paths(
        assistants=AssistantOperations(assistants, new_ids),
        threads=ThreadOperations(threads, attached_files, new_ids),
        messages=MessageOperations(messages, attached_files, new_ids),
        runs=RunOperations(runs, streams, attached_files, new_ids, poll_after_ms=poll_after_ms),
        streams=streams,
        steps=StepOperations(runs),
        files=FileOperations(files, new_ids, largest_file=largest_file),
        models=ModelOperations(models),
    )
    dialect = OpenAIDialect(authentication, require_beta_header=require_beta_header)
    # Files and models are no part of the Assistants API: the SDKs send no beta header with them.
    general = OpenAIDialect(authentication, require_beta_header=False)
    exempt = {path: general for path, _ in operations if path.startswith(_GENERAL)}
    return Surface(dialect, operations, KeyedRequests(idempotency, streams.join), exempt)
