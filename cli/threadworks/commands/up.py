"""`threadworks up`: real Kafka, real PostgreSQL, each service a process of its own, some of them several times."""

import asyncio
from typing import Annotated

import typer

from threadworks.commands.local_part import local_part
from threadworks.settings import local_settings


def up(
    gateways: Annotated[int, typer.Option(envvar="GATEWAYS", min=1, help="Gateways behind one port.")] = 1,
    orchestrators: Annotated[int, typer.Option(envvar="ORCHESTRATORS", min=1, help="Run orchestrators.")] = 2,
    moodle_tools: Annotated[int, typer.Option(envvar="MOODLE_TOOLS", min=1, help="Moodle tool services.")] = 1,
) -> None:
    """Run on Apache Kafka and PostgreSQL with separate processes, and restart what dies. Ctrl-C stops all of it."""
    with local_part():
        from threadworks.separate_processes import (  # noqa: PLC0415 - the operator's image has no local part
            Counts,
            SeparateProcesses,
        )
        from threadworks.until_stopped import run_until_stopped  # noqa: PLC0415
    counts = Counts(gateways=gateways, orchestrators=orchestrators, moodle_tools=moodle_tools)
    asyncio.run(run_until_stopped("up", local_settings(), lambda settings: SeparateProcesses(settings, counts)))
