"""`ModelServer` on an OpenAI-compatible API: the list of its models. Called by `bootstrap`.

The orchestrator talks to the same server; the gateway only asks which models there are, once a minute at the most, and
so keeps no connection.
"""

import ssl
from collections.abc import Sequence
from typing import Annotated, Any, Final

import httpx
from pydantic import BaseModel, BeforeValidator, SecretStr, ValidationError

from gateway.application.ports import ModelServerAway, ServedModel

TIMEOUT: Final = 5.0
"""Seconds for each part of the exchange. A person waits, and the list is no work for a server."""


class OpenAIModelServer:
    """The server at `base_url`, up to and with /v1."""

    def __init__(self, *, base_url: str, api_key: SecretStr) -> None:
        self._url = base_url.rstrip("/") + "/models"
        self._headers = {"authorization": f"Bearer {api_key.get_secret_value()}"}
        # Made once: reading the authorities holds up the loop for a while.
        self._trust = ssl.create_default_context()
        # A proxy from the environment is for the outside world, never for a server on this machine.
        self._local = httpx.URL(base_url).host in {"127.0.0.1", "::1", "localhost"}

    async def models(self) -> Sequence[ServedModel]:
        """Ask for the list. Raises `ModelServerAway`, whose text names neither address nor key."""
        try:
            async with httpx.AsyncClient(verify=self._trust, timeout=TIMEOUT, trust_env=not self._local) as http:
                reply = await http.get(self._url, headers=self._headers)
        except httpx.HTTPError as error:
            raise ModelServerAway(type(error).__name__) from None
        if reply.status_code != httpx.codes.OK:
            raise ModelServerAway(f"it answers {reply.status_code}")
        try:
            listed = _List.model_validate_json(reply.content)
        except ValidationError:
            raise ModelServerAway("its answer is no list of models") from None
        return [ServedModel(id=each.id, created=each.created, owned_by=each.owned_by) for each in listed.data]


def _or(otherwise: Any) -> BeforeValidator:
    # Servers leave out what only OpenAI needs, or send null.
    return BeforeValidator(lambda value: otherwise if value is None else value)


class _Model(BaseModel):
    id: str
    created: Annotated[int, _or(0)] = 0
    owned_by: Annotated[str, _or("")] = ""


class _List(BaseModel):
    data: list[_Model]
