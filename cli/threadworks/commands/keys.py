"""`threadworks keys create`: makes an API key for a tenant."""

import asyncio
import secrets
from typing import Annotated
from uuid import uuid4

import typer
from run_engine.keys import SCOPES, new_key
from run_engine.store.tenants import Tenants

from threadworks.commands.database import connected
from threadworks.settings import LocalSettings, local_settings

keys = typer.Typer(help="API keys of tenants.", no_args_is_help=True)


@keys.callback()
def about() -> None:
    """Keeps `create` a sub-command while it is the only one."""


@keys.command()
def create(
    tenant: Annotated[str, typer.Option(help="Id of the tenant; it is made if it does not exist.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    scope: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(SCOPES)}; repeat for several.")] = None,
) -> None:
    """Make a key and print it, this once: only its digest is stored."""
    scopes = scope or ["api"]
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        raise typer.BadParameter(f"no such scope: {', '.join(unknown)}; there are {', '.join(SCOPES)}")
    key = new_key(secrets.token_bytes(32))
    asyncio.run(_store(local_settings(), tenant, name, scopes, key))
    typer.echo(key)


async def _store(settings: LocalSettings, tenant: str, name: str, scopes: list[str], key: str) -> None:
    async with connected(settings) as database:
        tenants = Tenants(database)
        await tenants.ensure(tenant, tenant, settings.tool_service_names)
        await tenants.add_key(f"key_{uuid4().hex}", tenant, key, name, scopes)
