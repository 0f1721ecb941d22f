"""What clients describe with JSON comes back with its keys in their order: schemas are read by models, too."""

import imported
import orjson
from engine_world import World, new_id
from run_engine.domain.drafts import NewAssistant, NewRun, NewThread
from run_engine.domain.objects import Json
from run_engine.store.imports import Imports

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "f",
            "description": "d",
            "parameters": {
                "type": "object",
                "properties": {"zeta": {"b": 1, "a": 2}, "alpha": {}},
                "required": ["zeta"],
            },
            "strict": False,
        },
    }
]
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"z": 1, "a": {"y": 1, "b": 2}}}}
RESOURCES = {"file_search": {"vector_store_ids": ["v"]}, "code_interpreter": {"file_ids": ["f"]}}


def written(*values: Json) -> bytes:
    return orjson.dumps(values)


async def test_assistants_threads_and_runs_keep_it(world: World) -> None:
    gateway, tenant = world.gateway, world.tenant
    expected = written(TOOLS, FORMAT, RESOURCES)
    draft = NewAssistant(
        id=new_id("assistant"), model="demo", tools=TOOLS, response_format=FORMAT, tool_resources=RESOURCES
    )
    made = await gateway.assistants.create(tenant, draft)
    read = await gateway.assistants.get(tenant, draft.id)
    changed = await gateway.assistants.modify(tenant, draft.id, {"name": "another"})
    for assistant in (made, read, changed):
        assert written(assistant.tools, assistant.response_format, assistant.tool_resources) == expected
    thread = await gateway.threads.create(tenant, NewThread(id=new_id("thread"), tool_resources=RESOURCES))
    assert written(thread.tool_resources) == written(RESOURCES)
    inherited = await gateway.runs.start(tenant, thread.id, NewRun(id=new_id("run"), assistant_id=draft.id))
    assert written(inherited.tools, inherited.response_format, inherited.tool_resources) == expected
    given = await gateway.runs.start_on_new_thread(
        tenant,
        NewThread(id=new_id("thread"), tool_resources=RESOURCES),
        NewRun(
            id=new_id("run"),
            assistant_id=world.assistant_id,
            tools=TOOLS,
            response_format=FORMAT,
            tool_resources=RESOURCES,
        ),
    )
    worker = await world.live_worker()
    for run in (given, await worker.driving.claim(tenant, given.id)):
        assert run is not None
        assert written(run.tools, run.response_format, run.tool_resources) == expected


async def test_imports_keep_it(world: World) -> None:
    assistant = imported.assistant(tools=TOOLS, response_format=FORMAT, tool_resources=RESOURCES)
    thread = imported.thread(tool_resources=RESOURCES)
    run = imported.run(tools=TOOLS, response_format=FORMAT, tool_resources=RESOURCES)
    objects = [assistant, thread, run, imported.message(), imported.message(id="msg_another")]
    await Imports(world.database).store(world.tenant, enumerate(objects))
    kept = await world.gateway.assistants.get(world.tenant, assistant.id)
    same = await world.gateway.runs.get(world.tenant, thread.id, run.id)
    for found in (kept, same):
        assert written(found.tools, found.response_format, found.tool_resources) == written(TOOLS, FORMAT, RESOURCES)
    assert written((await world.gateway.threads.get(world.tenant, thread.id)).tool_resources) == written(RESOURCES)
