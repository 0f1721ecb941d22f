"""An event names the service that has committed it, whoever publishes it and however often: source and id are one."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from engine_world import Worker, World, answer
from event_bus import OutgoingRecord, PublishError
from run_engine.lease import LEASE
from run_engine.outbox.publishing import publish_with
from run_engine.process import EngineProcess
from run_engine.process_names import event_source, process_name


class Records:
    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []

    async def publish(self, records: Sequence[OutgoingRecord]) -> list[PublishError | None]:
        self.headers += [{name: value.decode() for name, value in record.headers} for record in records]
        return [None] * len(records)


@pytest.mark.parametrize("role", ["gateway", "run-orchestrator"])
def test_the_source_of_a_process_is_its_role(role: str) -> None:
    assert event_source(process_name(role, uuid4())) == f"/threadworks/{role}"


async def test_each_event_of_a_run_names_its_producer_whoever_publishes_or_adopts_it(lonely_world: World) -> None:
    world = lonely_world
    gateway = Worker(world.database, process_name("gateway", uuid4()))
    orchestrator = Worker(world.database, process_name("run-orchestrator", uuid4()))
    world.gateway = gateway
    for process in (gateway, orchestrator):
        await process.liveness.register()
    run = await world.start_run()
    await orchestrator.driving.finish(await world.claimed(orchestrator, run), answer())
    expected = ["/threadworks/gateway"] * 2 + ["/threadworks/run-orchestrator"] * 5
    rows = await orchestrator.table.unpublished(orchestrator.outbox_ids)  # the gateway's older ones go along
    records = Records()
    await publish_with(records, "inline")(rows)
    await gateway.liveness.retire()
    assert await orchestrator.sweeps.adopt_outbox(LEASE) == 2
    await publish_with(records, "inline")(await orchestrator.table.unpublished(orchestrator.outbox_ids))
    assert [headers["ce_source"] for headers in records.headers] == expected * 2
    assert [headers["ce_id"] for headers in records.headers[:7]] == [h["ce_id"] for h in records.headers[7:]]


async def test_a_process_publishes_under_its_role(lonely_world: World) -> None:
    world, records = lonely_world, Records()
    process = EngineProcess(world.database, records, role="gateway")
    await process.start()
    gateway = Worker(world.database, process.worker)
    gateway.runs._writer = process.writer
    world.gateway = gateway
    await world.start_run()
    async with asyncio.timeout(10):
        while len(records.headers) < 2:
            await asyncio.sleep(0.005)
    assert {headers["ce_source"] for headers in records.headers} == {"/threadworks/gateway"}
    await process.stop()
