"""Tenants and their API keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from run_engine.keys import digest
from run_engine.store.database import Database


@dataclass(frozen=True, slots=True)
class Tenant:
    """The owner of keys and of every row."""

    id: str
    name: str
    run_lifetime: timedelta
    tool_services: frozenset[str]
    """Services whose functions this tenant's runs may use as server tools."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: the tenant and the scopes of the key that was shown."""

    key_id: str
    tenant_id: str
    scopes: frozenset[str]


class Tenants:
    """Read and make tenants, make and find keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: str) -> Tenant | None:
        """The tenant, if there is one."""
        row = await self._database.one("get_tenant", id=tenant_id)
        if row is None:
            return None
        return Tenant(row["id"], row["name"], row["run_lifetime"], frozenset(row["tool_services"]))

    async def ensure(self, tenant_id: str, name: str, tool_services: Sequence[str] = ()) -> None:
        """Makes a tenant unless it is there."""
        await self._database.all("ensure_tenant", id=tenant_id, name=name, tool_services=list(tool_services))

    async def add_key(self, key_id: str, tenant_id: str, key: str, name: str, scopes: Sequence[str]) -> None:
        """Stores the digest of a key. The key itself is nowhere kept."""
        await self._database.all(
            "create_key", id=key_id, tenant_id=tenant_id, digest=digest(key), name=name, scopes=list(scopes)
        )

    async def delete_key(self, key: str) -> None:
        """Forgets a key; unknown ones are no error."""
        await self._database.all("delete_key", digest=digest(key))

    async def authenticate(self, key: str) -> Principal | None:
        """Who the key belongs to; None for an unknown or revoked key."""
        row = await self._database.one("find_key", digest=digest(key))
        if row is None:
            return None
        return Principal(row["id"], row["tenant_id"], frozenset(row["scopes"]))
