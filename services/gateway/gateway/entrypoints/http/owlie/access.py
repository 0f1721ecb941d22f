"""Who calls `/api`: everybody, on behalf of one tenant. What may be seen is decided by the ids that are shown."""

from gateway.entrypoints.http.exchange import Headers, Reply
from gateway.entrypoints.http.owlie.refusals import refusal_of


class OwlieDialect:
    """The dialect as `endpoint` knows it."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id

    async def tenant_of(self, headers: Headers) -> str:
        """Return the tenant of all callers."""
        return self._tenant_id

    def refuse(self, error: Exception, method: str, path: str) -> Reply:
        """Return the reply to `error`."""
        return refusal_of(error).reply()
