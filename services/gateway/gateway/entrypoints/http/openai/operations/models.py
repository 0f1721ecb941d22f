"""Models: list, retrieve. Apps of the Assistants API ask for them to let people choose."""

from gateway.application.models import Models
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.presenters import models


class ModelOperations:
    """Handlers for `/v1/models…`."""

    def __init__(self, models: Models) -> None:
        self._models = models

    async def list(self, _call: Call) -> Reply:
        """GET /models."""
        return ok({"object": "list", "data": [models.model(each) for each in await self._models.all()]})

    async def retrieve(self, call: Call) -> Reply:
        """GET /models/{model}. Names of models may have slashes."""
        return ok(models.model(await self._models.get(call.values["model"])))
