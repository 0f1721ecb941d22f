"""A model simulator that a test holds in its own hands."""

import httpx
from model_simulator import ModelSimulator


class HeldModel:
    """The model simulator and its control paths."""

    def __init__(self, simulator: ModelSimulator) -> None:
        self._simulator = simulator
        self._http = httpx.AsyncClient(base_url=simulator.root_url, timeout=90)

    @property
    def environment(self) -> dict[str, str]:
        """Settings that point an installation at it, as they would at a real model."""
        return {"OPENAI_BASE_URL": self._simulator.base_url, "OPENAI_API_KEY": "sk-a-model-key-0123456789"} | {
            "THREADWORKS_DEMO_MODEL": "demo"
        }

    async def script(self, *replies: dict[str, object]) -> None:
        """Replies that are given in this order, before any answer by rule."""
        (await self._http.post("/control/script", json={"replies": list(replies)})).raise_for_status()

    async def wait(self, **condition: object) -> None:
        """Returns when the condition of `GET /control/wait` holds."""
        (await self._http.get("/control/wait", params=condition)).raise_for_status()  # type: ignore[arg-type]

    async def release(self, gate: str) -> None:
        """Lets those go on who wait at the gate."""
        (await self._http.post(f"/control/release/{gate}")).raise_for_status()

    async def close(self) -> None:
        await self._http.aclose()
