"""The composition root of the run-orchestrator: the only module that knows settings, adapters and entry points at once.

`__main__` builds the service on Kafka with it, `threadworks run` on the in-process bus.
"""

import asyncio
import random
import time
from datetime import UTC, datetime
from uuid import uuid4

from event_bus import EventBus
from file_store import open_file_store
from observability import Meters, register_secret
from run_engine.domain import ids
from run_engine.process import EngineProcess
from run_engine.store.answers import Answers
from run_engine.store.driving import Driving
from run_engine.store.files import Files
from run_engine.store.messages import Messages
from run_engine.store.opening import open_database
from run_engine.store.sweeps import Sweeps
from run_engine.store.tenants import Tenants
from run_engine.sweeper import Sweeper

from run_orchestrator.adapters.deltas import DeltaPublisher
from run_orchestrator.adapters.drive_context import in_context
from run_orchestrator.adapters.engine import EngineRunStore
from run_orchestrator.adapters.metrics import OrchestratorMeter, show_places
from run_orchestrator.adapters.model.client import OpenAIModel, Timeouts
from run_orchestrator.adapters.model.images import UploadedImages
from run_orchestrator.adapters.tokenizer import BpeTokenizer
from run_orchestrator.application.claiming import Claiming
from run_orchestrator.application.delta_senders import DeltaSenders
from run_orchestrator.application.drive import Driver
from run_orchestrator.application.driven_runs import DrivenRuns
from run_orchestrator.application.fitting import Fitting
from run_orchestrator.application.model_facts import ModelTable
from run_orchestrator.application.patience import Patience
from run_orchestrator.application.places import Places
from run_orchestrator.application.retries import RetryPolicy
from run_orchestrator.application.tool_registry import ToolRegistry
from run_orchestrator.application.work import Bounds, Work
from run_orchestrator.entrypoints.service import Parts, Service
from run_orchestrator.settings import OrchestratorSettings


def build(settings: OrchestratorSettings, bus: EventBus, meters: Meters | None = None) -> Service:
    """Return the service, to be started on a started bus; it counts in `meters`. Raises OSError.

    Call it while the event loop runs.
    """
    meters = Meters() if meters is None else meters
    meter = OrchestratorMeter(meters)
    stored = open_file_store(settings.files_url, settings.data_dir)
    url, key = settings.database_url.get_secret_value(), settings.openai_api_key
    register_secret(key.get_secret_value())
    deltas = DeltaPublisher(bus.stream_publisher, lambda: datetime.now(UTC))
    senders = DeltaSenders(deltas.send, asyncio.sleep)
    registry, places, driven = ToolRegistry(settings.tool_services), Places(settings.places), DrivenRuns(senders.wake)
    show_places(meters, driven=lambda: len(driven.claims()), places=lambda: places.number)

    aliases = {"demo": settings.demo_model}
    models = ModelTable(windows=settings.context_windows, otherwise=settings.context_tokens, aliases=aliases)

    async def assemble() -> Parts:
        database = await open_database(
            url, application_name="run-orchestrator", connections=settings.database_connections
        )
        engine = EngineProcess(
            database, bus.publisher, role="run-orchestrator", event_content=settings.event_content, meters=meters
        )
        driving = Driving(database, engine.writer)
        store = EngineRunStore(driving, Messages(database, engine.writer), Tenants(database), meter)
        model = OpenAIModel(
            base_url=str(settings.openai_base_url),
            api_key=key,
            connections=settings.places,
            timeouts=Timeouts(connect=settings.model_connect_timeout, read=settings.model_read_timeout),
            aliases=aliases,
            images=UploadedImages(Files(database), stored, Patience(asyncio.sleep)),
            meter=meter,
        )
        work = Work(
            store,
            model,
            registry,
            policy=RetryPolicy(tries=settings.model_tries),
            bounds=Bounds(messages=settings.prompt_messages, characters=settings.prompt_characters),
            fitting=Fitting(models, BpeTokenizer, reserve=settings.answer_tokens),
            clock=time.time,
            pause=asyncio.sleep,
            jitter=random.random,
            new_id=lambda kind: ids.render(kind, uuid4()),
        )
        driver = Driver(store, work, pause=asyncio.sleep)
        return Parts(
            engine=engine,
            driving=driving,
            sweeper=Sweeper(Sweeps(database, engine.writer, meter.tool_answered)),
            answers=Answers(database, engine.writer, meter.tool_answered),
            claiming=Claiming(store, places, driven, in_context(driver.drive), shuffle=random.shuffle),
            close_model=model.close,
            drain_deltas=senders.drain,
        )

    patience = {"tool_service_wait": settings.tool_service_wait, "drain_seconds": settings.drain_seconds}
    return Service(bus, assemble, registry=registry, places=places, driven=driven, **patience)
