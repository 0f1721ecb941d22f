"""Users' own credentials for tool services: given with a request, sealed here, and opened only by the service.

A credential belongs to a thread. It is stored in the commit that makes the thread, the message or the run that it came
with, so no call is made without it, and goes out with each call of its service (`SealedCredentials`). What came with a
request is in a context variable, because it concerns neither the dialects nor the use cases in between: the HTTP entry
points say what was given, and `Runs`, `Messages` and `Threads` take it along.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeAlias, TypeVar

from pydantic import SecretStr
from run_engine.store.tenants import Tenant

Made = TypeVar("Made")

Seal: TypeAlias = Callable[[str, str, str, SecretStr], str]
"""Seals a secret: (public key in Base64, tenant id, thread id, secret) → `credentials` of a tool-call.requested."""


class CredentialRefused(Exception):
    """No credential is taken for that service, or it is none. The text is for the client, and repeats no secret."""


class KeysNotKnown(Exception):
    """It cannot be found out at the moment which keys the services have."""


@dataclass(frozen=True, slots=True)
class GivenCredential:
    """What a request brought for one service. An empty secret takes back what was given before."""

    service: str
    secret: SecretStr


class PublicKeys(Protocol):
    """The keys that tool services announce."""

    async def public_key(self, service: str) -> str | None:
        """Return the key of a service, in Base64; None: it has none that is trusted. Raises `KeysNotKnown`."""
        ...


class NoKeys:
    """Where no service can be heard."""

    async def public_key(self, _service: str) -> None:
        """There is none."""


class SealedStore(Protocol):
    """Keeps sealed credentials of threads."""

    async def put(self, tenant_id: str, thread_id: str, service: str, sealed: str) -> None:
        """Keep one instead of the one before. Raises `NotFound`."""
        ...

    async def forget(self, tenant_id: str, thread_id: str, service: str) -> None:
        """Forget it, if there is one."""
        ...


class TenantStore(Protocol):
    """Knows the tenants."""

    async def get(self, tenant_id: str) -> Tenant | None:
        """The tenant, if there is one."""
        ...


_GIVEN: Final[ContextVar[tuple[GivenCredential, ...]]] = ContextVar("given_credentials", default=())


@contextmanager
def given_with_request(given: Sequence[GivenCredential]) -> Iterator[None]:
    """While the block runs, these came with the request that the running task answers."""
    token = _GIVEN.set(tuple(given))
    try:
        yield
    finally:
        _GIVEN.reset(token)


class Credentials:
    """Takes credentials for the `pinned` services, of tenants that may use them.

    `unit` begins a unit of work of the store (`Database.unit_of_work`).
    """

    def __init__(
        self,
        keys: PublicKeys,
        seal: Seal,
        store: SealedStore,
        *,
        tenants: TenantStore,
        pinned: Collection[str],
        unit: Callable[[], AbstractAsyncContextManager[object]],
    ) -> None:
        self._keys = keys
        self._seal = seal
        self._store = store
        self._tenants = tenants
        self._pinned = frozenset(pinned)
        self._unit = unit

    async def give(self, tenant_id: str, thread_id: str, service: str, secret: SecretStr) -> None:
        """Keep a credential of a thread for a service, sealed, instead of the one before; an empty one takes it back.

        Raises `CredentialRefused`, `KeysNotKnown` and `NotFound`.
        """
        seal = await self._sealing(tenant_id, service)
        await self._keep(tenant_id, thread_id, GivenCredential(service, secret), seal)

    async def along(self, tenant_id: str, thread_id: str, effect: Callable[[], Awaitable[Made]]) -> Made:
        """Have an effect on a thread and keep what came with the request, in one commit. Raises as `give`."""
        given = _GIVEN.get()
        if not given:
            return await effect()
        # Before anything is locked: this may wait for the announcements.
        sealings = [await self._sealing(tenant_id, each.service) for each in given]
        async with self._unit():
            made = await effect()
            for each, seal in zip(given, sealings, strict=True):
                await self._keep(tenant_id, thread_id, each, seal)
        return made

    async def for_call(self, tenant_id: str, service: str) -> Callable[[str], str] | None:
        """Return what seals the credential that came with the request for a call outside of runs, by its thread id.

        None: nothing came for this service. Raises `CredentialRefused` and `KeysNotKnown`.
        """
        found = None
        for each in _GIVEN.get():
            seal = await self._sealing(tenant_id, each.service)
            if each.service == service and each.secret:
                found = partial(_sealed_for, seal, each.secret)
        return found

    async def _sealing(self, tenant_id: str, service: str) -> Callable[[str, SecretStr], str]:
        tenant = await self._tenants.get(tenant_id)
        if tenant is None or service not in self._pinned & tenant.tool_services:
            raise CredentialRefused(f"There is no tool service '{service}' here that credentials can be given for.")
        key = await self._keys.public_key(service)
        if key is None:
            raise CredentialRefused(
                f"The tool service '{service}' takes no credentials: it has announced no key that this server trusts."
            )
        return partial(self._seal, key, tenant_id)

    async def _keep(
        self, tenant_id: str, thread_id: str, given: GivenCredential, seal: Callable[[str, SecretStr], str]
    ) -> None:
        if given.secret:
            await self._store.put(tenant_id, thread_id, given.service, seal(thread_id, given.secret))
        else:
            await self._store.forget(tenant_id, thread_id, given.service)


def _sealed_for(seal: Callable[[str, SecretStr], str], secret: SecretStr, thread_id: str) -> str:
    return seal(thread_id, secret)
