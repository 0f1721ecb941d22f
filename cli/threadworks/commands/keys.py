"""`threadworks keys`: makes API keys for tenants, and keys that credentials for tool services are sealed with."""

import asyncio
import secrets
from typing import Annotated
from uuid import uuid4

import typer
from run_engine.keys import SCOPES, new_key
from run_engine.store.tenants import Tenants
from tool_service.sealing import SealingKey

from threadworks.commands.database import connected
from threadworks.settings import LocalSettings, local_settings

keys = typer.Typer(help="API keys of tenants, and keys of tool services.", no_args_is_help=True)


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


@keys.command()
def sealing() -> None:
    """Make a key that users' own credentials for a tool service are sealed with, and print it, this once."""
    key = SealingKey.new()
    for name, value, meaning in (
        ("private key", key.private, "secret: THREADWORKS_TOOL_SEALING_KEYS of the tool service, and nowhere else"),
        ("public key", key.public, "the service announces it"),
        ("fingerprint", key.fingerprint, "for gateways: THREADWORKS_TOOL_SERVICE_KEYS=<service>=<fingerprint>"),
    ):
        typer.echo(f"{name:<12} {value}  ({meaning})")


async def _store(settings: LocalSettings, tenant: str, name: str, scopes: list[str], key: str) -> None:
    async with connected(settings) as database:
        tenants = Tenants(database)
        await tenants.ensure(tenant, tenant, settings.tool_service_names)
        await tenants.add_key(f"key_{uuid4().hex}", tenant, key, name, scopes)
