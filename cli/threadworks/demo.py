"""What a newcomer finds: a tenant, an assistant of the recorded Moodle course and, on loopback only, a known key."""

from typing import Final

from run_engine.domain.drafts import NewAssistant
from run_engine.store.assistants import Assistants
from run_engine.store.database import Database
from run_engine.store.tenants import Tenants

TENANT: Final = "demo"
KEY: Final = "sk-threadworks-demo"
ASSISTANT: Final = "asst_moodleDemoAssistant00001"
MODEL: Final = "demo"

_INSTRUCTIONS: Final = (
    "Du hilfst Studierenden und Tutor*innen im Kurs „Tutor*innenqualifizierung“. Die Moodle-Kurs-ID ist 51589. "
    "Fragen nach Terminen, Aufgaben und Unterlagen beantwortest du aus dem Inhalt des Kurses, den "
    "get_moodle_course_content liefert, und sonst nicht. Antworte kurz und in der Sprache der Frage."
)
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "get_moodle_course_content",
        "description": "Fetches Moodle course content based on course ID.",
        "parameters": {
            "type": "object",
            "required": ["courseid"],
            "properties": {"courseid": {"type": "string", "description": "The Moodle course ID, e.g., '51589'."}},
        },
        "strict": False,
    },
}


async def seed(database: Database, *, tool_services: list[str], with_key: bool) -> None:
    """Makes tenant, assistant and, with `with_key`, the demo key. What is there already stays as it is."""
    tenants = Tenants(database)
    await tenants.ensure(TENANT, "Demo", tool_services)
    await Assistants(database).ensure(
        TENANT,
        NewAssistant(id=ASSISTANT, model=MODEL, name="Moodle-Kursassistent", instructions=_INSTRUCTIONS, tools=[_TOOL]),
    )
    if with_key:
        await tenants.add_key("key_demo", TENANT, KEY, "demo", ["all"])
    else:
        await tenants.delete_key(KEY)
