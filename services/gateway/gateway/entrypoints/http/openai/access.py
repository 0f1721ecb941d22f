"""Who calls `/v1`: the key of the Authorization header, and the beta header where strict mode asks for it."""

from gateway.application.authentication import Authentication
from gateway.entrypoints.http.exchange import Headers, Reply
from gateway.entrypoints.http.openai.beta_header import names_a_version
from gateway.entrypoints.http.openai.refusals import Refusal, refusal_of

_LONG_ENOUGH_TO_MASK = 12


class OpenAIDialect:
    """The dialect as `endpoint` knows it.

    `scope` is what a key has to be for: `api`, or `admin` for what moves whole installations. A key for one of them, or
    for the event feed, does not open the other; one for everything (`all`) opens both.
    """

    def __init__(self, authentication: Authentication, *, require_beta_header: bool, scope: str = "api") -> None:
        self._authentication = authentication
        self._require_beta_header = require_beta_header
        self._scope = scope

    async def tenant_of(self, headers: Headers) -> str:
        """Return the tenant that the key belongs to. Raises `Refusal` and `DatabaseUnavailable`."""
        key = bearer_key(headers.get(b"authorization", b""))
        if key is None:
            raise Refusal(
                401,
                "You didn't provide an API key. You need to provide your API key in an Authorization header using "
                "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            )
        principal = await self._authentication.principal(key)
        if principal is None:
            raise Refusal(401, f"Incorrect API key provided: {masked(key)}.", code="invalid_api_key")
        if principal.scopes.isdisjoint({"all", self._scope}):
            message = f"You have insufficient permissions for this operation. Missing scopes: {self._scope}."
            raise Refusal(401, message)
        if self._require_beta_header and not names_a_version(headers):
            raise Refusal(
                400,
                "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please try again by setting "
                "the header 'OpenAI-Beta: assistants=v2'.",
                code="invalid_beta",
            )
        return principal.tenant_id

    def refuse(self, error: Exception, method: str, path: str) -> Reply:
        """Return the reply to `error` in OpenAI's envelope."""
        return refusal_of(error, method, path).reply()


def bearer_key(header: bytes) -> str | None:
    """Return the key of an Authorization header, or None where there is none."""
    scheme, _, key = header.decode("latin-1").strip().partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def masked(key: str) -> str:
    """Return `sk-…abcd`: enough for its owner to tell which key it was, and nothing to call with."""
    prefix = "sk-" if key.startswith("sk-") else ""
    return f"{prefix}…{key[-4:]}" if len(key) >= _LONG_ENOUGH_TO_MASK else f"{prefix}…"
