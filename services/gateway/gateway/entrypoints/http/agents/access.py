"""Who calls `/agents`: the API key in the header `api-key`, one of `/v1` with the scope `api`."""

from hashlib import sha256

from starlette.types import Scope

from gateway.application.authentication import Authentication
from gateway.entrypoints.http.agents.refusals import Refusal, refusal_of
from gateway.entrypoints.http.exchange import Headers, Reply

HEADER = b"api-key"


class AgentsDialect:
    """The dialect as `endpoint` knows it."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    async def tenant_of(self, headers: Headers) -> str:
        """Return the tenant that the key belongs to. Raises `Refusal` and `DatabaseUnavailable`."""
        key = headers.get(HEADER, b"").decode("latin-1").strip()
        principal = await self._authentication.principal(key) if key else None
        if principal is None:
            raise Refusal(401, "unauthorized", "The api-key header is missing or not valid")
        if principal.scopes.isdisjoint({"all", "api"}):
            raise Refusal(401, "unauthorized", "The API key does not have the scope 'api'")
        return principal.tenant_id

    def refuse(self, error: Exception, method: str, path: str) -> Reply:
        """Return the reply to `error` in the dialect's envelope."""
        return refusal_of(error).reply()


class CallersByKey:
    """Whose requests are counted together: those with the same key, known by its digest alone."""

    def of(self, scope: Scope) -> str:
        """Return the caller of a request."""
        key = next((value for name, value in scope["headers"] if name == HEADER), b"")
        return sha256(key).hexdigest()
