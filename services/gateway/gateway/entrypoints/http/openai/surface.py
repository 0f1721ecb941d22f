"""Puts the dialect together from what `bootstrap` hands in: each operation in both versions of the API."""

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
from gateway.entrypoints.http.openai.paths import general_paths, paths, paths_of_version_1
from gateway.entrypoints.http.openai.streaming.event_writer import EventWriter
from gateway.entrypoints.http.openai.version_1.event_writer import EventWriter1
from gateway.entrypoints.http.openai.version_1.operations.assistant_files import AssistantFileOperations
from gateway.entrypoints.http.openai.version_1.operations.assistants import AssistantOperations1
from gateway.entrypoints.http.openai.version_1.operations.message_files import MessageFileOperations
from gateway.entrypoints.http.openai.version_1.operations.runs import RunOperations1
from gateway.entrypoints.http.openai.version_1.operations.threads import MessageOperations1, ThreadOperations1
from gateway.entrypoints.http.openai.version_1.versions import (
    either_join,
    in_both_versions,
    in_version_1_alone,
    version_of,
)
from gateway.settings import GatewaySettings


def openai_surface(cases: UseCases, settings: GatewaySettings) -> Surface:
    """Return `/v1`."""
    attached, new_ids, poll = cases.attached_files, cases.new_ids, settings.poll_after_ms
    streams_2, streams_1 = (RunStreams(cases.readings, cases.threads, writer) for writer in (EventWriter, EventWriter1))
    steps = StepOperations(cases.runs)
    version_2 = paths(
        assistants=AssistantOperations(cases.assistants, new_ids),
        threads=ThreadOperations(cases.threads, attached, new_ids),
        messages=MessageOperations(cases.messages, attached, new_ids),
        runs=RunOperations(cases.runs, streams_2, attached, new_ids, poll_after_ms=poll),
        streams=streams_2,
        steps=steps,
    )
    version_1 = paths(
        assistants=AssistantOperations1(cases.assistants, attached, new_ids),
        threads=ThreadOperations1(cases.threads, attached, new_ids),
        messages=MessageOperations1(cases.messages, attached, new_ids),
        runs=RunOperations1(cases.runs, streams_1, attached, new_ids, poll_after_ms=poll),
        streams=streams_1,
        steps=steps,
    )
    version_1_alone = paths_of_version_1(
        AssistantFileOperations(cases.assistant_files), MessageFileOperations(cases.messages)
    )
    general = general_paths(
        FileOperations(cases.files, new_ids, largest_file=settings.largest_file), ModelOperations(cases.models)
    )
    dialect = OpenAIDialect(cases.authentication, require_beta_header=settings.require_beta_header)
    # Files and models are no part of the Assistants API: the SDKs send no beta header with them.
    lenient = OpenAIDialect(cases.authentication, require_beta_header=False)
    return Surface(
        dialect,
        [*in_both_versions(version_2, version_1), *in_version_1_alone(version_1_alone), *general],
        KeyedRequests(cases.idempotency, either_join(streams_2.join, streams_1.join), version_of),
        exempt={path: lenient for path, _ in general},
    )
