"""Who calls `/entities`: the original asked nobody, here it is an API key, as a bearer's or in `X-API-Key`."""

from gateway.application.authentication import Authentication
from gateway.entrypoints.http.entities.refusals import Refusal, refusal_of
from gateway.entrypoints.http.exchange import Headers, Reply

_CHALLENGE = ((b"www-authenticate", b"Bearer"),)


class EntitiesDialect:
    """The dialect as `endpoint` knows it. Keys are those of `/v1`, with the scope `api`."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    async def tenant_of(self, headers: Headers) -> str:
        """Return the tenant that the key belongs to. Raises `Refusal` and `DatabaseUnavailable`."""
        key = key_of(headers)
        if key is None:
            raise Refusal(401, "Not authenticated", headers=_CHALLENGE)
        principal = await self._authentication.principal(key)
        if principal is None:
            raise Refusal(401, "Invalid API key", headers=_CHALLENGE)
        if principal.scopes.isdisjoint({"all", "api"}):
            raise Refusal(403, "This API key does not have the scope 'api'")
        return principal.tenant_id

    def refuse(self, error: Exception, method: str, path: str) -> Reply:
        """Return the reply to `error` in FastAPI's envelope."""
        return refusal_of(error).reply()


def key_of(headers: Headers) -> str | None:
    """Return the key of a request: that of the Authorization header if there is one, else that of X-API-Key."""
    scheme, _, bearer = headers.get(b"authorization", b"").decode("latin-1").strip().partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        return bearer.strip()
    return headers.get(b"x-api-key", b"").decode("latin-1").strip() or None
