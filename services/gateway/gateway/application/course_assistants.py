"""Makes the assistants of a course catalogue that are missing. Called once, before the gateway listens."""

from typing import Protocol

from run_engine.domain.drafts import NewAssistant
from run_engine.domain.objects import Assistant
from run_engine.errors import NotFound

from gateway.application.course_catalogue import CatalogueUnusable, CourseCatalogue, CourseMode


class EnsuredAssistants(Protocol):
    """The assistants, as they are asked for here."""

    async def get(self, tenant_id: str, assistant_id: str) -> Assistant:
        """Read one. Raises `NotFound`."""
        ...

    async def ensure(self, tenant_id: str, draft: NewAssistant) -> None:
        """Make one unless it is there."""
        ...


async def make_missing(assistants: EnsuredAssistants, tenant_id: str, catalogue: CourseCatalogue) -> None:
    """Make what is missing; what is there stays as it is. Raises `CatalogueUnusable` and `DatabaseUnavailable`."""
    for each in catalogue.modes():
        if each.mode.model is not None:
            await assistants.ensure(tenant_id, _draft(each, each.mode.model))
            continue
        try:
            await assistants.get(tenant_id, each.assistant_id)
        except NotFound:
            raise CatalogueUnusable(
                f"the assistant {each.assistant_id} of the course '{each.course_name}' is not there, and its mode "
                f"'{each.mode_name}' in the catalogue names no model to make one with"
            ) from None


def _draft(each: CourseMode, model: str) -> NewAssistant:
    instructions = each.mode.instructions or ""
    if each.course_id not in instructions:
        # The model passes it on to the function that reads the course: nobody else knows which course is talked about.
        instructions = f"{instructions}\n\nMoodle-Kurs-ID: {each.course_id}".strip()
    return NewAssistant(
        id=each.assistant_id,
        model=model,
        name=f"{each.course_name} ({each.mode_name})"[:256],
        instructions=instructions,
        tools=[tool.model_dump(exclude_unset=True) for tool in each.mode.tools],
        metadata={"course_id": each.course_id, "mode": each.mode_name},
    )
