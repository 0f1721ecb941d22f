"""`threadworks migrate`: brings the database to this version's schema."""

import asyncio

import typer
from run_engine.store.migrate import migrate as apply

from threadworks.commands.database import database_url
from threadworks.settings import local_settings


def migrate() -> None:
    """Bring the database to this version's schema. Safe to repeat, and safe to run from several places at once."""
    applied = asyncio.run(apply(database_url(local_settings())))
    for step in applied:
        typer.echo(f"applied {step.number:04d} {step.name}")
    if not applied:
        typer.echo("the schema is up to date")
