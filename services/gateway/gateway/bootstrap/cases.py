"""The use cases on the stores of the engine: what dialects are handed."""

from file_store import FileStore
from run_engine.process import EngineProcess
from run_engine.store import (
    aliases,
    assistant_files,
    assistants,
    conversations,
    credentials,
    exports,
    files,
    imports,
    messages,
    overviews,
    runs,
    tenants,
    threads,
    tools,
    users,
)
from run_engine.store.idempotency import IdempotencyKeys

from gateway.adapters.model_server import OpenAIModelServer
from gateway.adapters.sealing import seal
from gateway.adapters.tool_bus import ToolServicesOnBus
from gateway.application.answering import Answering
from gateway.application.attached_files import AttachedFiles
from gateway.application.authentication import Authentication
from gateway.application.credentials import Credentials, NoKeys
from gateway.application.exchanges import Exchanges
from gateway.application.files import Files
from gateway.application.idempotency import Idempotency
from gateway.application.identities import NewIds
from gateway.application.messages import Messages
from gateway.application.models import Models
from gateway.application.runs import Runs
from gateway.application.streams.hub import Hub
from gateway.application.streams.readings import Readings
from gateway.application.threads import Threads
from gateway.application.tool_calls import ToolCalls
from gateway.application.use_cases import UseCases
from gateway.application.waiting import Waiting
from gateway.settings import GatewaySettings


def use_cases(
    engine: EngineProcess,
    settings: GatewaySettings,
    stored: FileStore,
    hub: Hub,
    services: ToolServicesOnBus | None = None,
) -> UseCases:
    """Return what the dialects call, on the stores of the engine. Without `services` no credentials are taken."""
    database, writer = engine.database, engine.writer
    takers = Credentials(
        NoKeys() if services is None else services,
        seal,
        credentials.SealedCredentials(database),
        tenants=tenants.Tenants(database),
        pinned=settings.tool_service_names,
        unit=database.unit_of_work,
    )
    thread_store = Threads(threads.Threads(database, writer), takers)
    file_rows = files.Files(database)
    key = settings.openai_api_key
    server = None if key is None else OpenAIModelServer(base_url=str(settings.openai_base_url), api_key=key)
    assistant_store, overview_store = assistants.Assistants(database), overviews.Overviews(database)
    conversation_store = conversations.Conversations(database)
    run_cases = Runs(runs.Runs(database, writer), thread_store, takers)
    message_cases = Messages(messages.Messages(database, writer), thread_store, takers)
    answering = Answering(thread_store, run_cases, message_cases, assistant_store, overview_store)
    return UseCases(
        authentication=Authentication(tenants.Tenants(database)),
        credentials=takers,
        assistants=assistant_store,
        assistant_files=assistant_files.AssistantFiles(database),
        threads=thread_store,
        messages=message_cases,
        runs=run_cases,
        readings=Readings(hub, run_cases),
        waiting=Waiting(hub, run_cases),
        answering=answering,
        exchanges=Exchanges(conversation_store, message_cases, run_cases, thread_store),
        overviews=overview_store,
        files=Files(file_rows, stored),
        attached_files=AttachedFiles(file_rows),
        models=Models(server),
        users=users.Users(database),
        tools=tools.Tools(database),
        conversations=conversation_store,
        aliases=aliases.Aliases(database),
        imports=imports.Imports(database),
        exports=exports.Exports(database),
        idempotency=Idempotency(IdempotencyKeys(database)),
        new_ids=NewIds(),
    )


def tool_calls(
    engine: EngineProcess, settings: GatewaySettings, services: ToolServicesOnBus, cases: UseCases
) -> ToolCalls:
    """Return what asks tool services outside of runs."""
    return ToolCalls(services, tenants.Tenants(engine.database), settings.tool_service_names, cases.credentials)
