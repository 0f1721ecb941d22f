"""What stands in for the real thing when nothing real was given, and how that is said."""

from threadworks.settings import LocalSettings

REAL_MODEL = "gpt-4o-mini"
"""What `demo` stands for on a real model, unless THREADWORKS_DEMO_MODEL says otherwise."""


def demo_model(settings: LocalSettings) -> str:
    """The model that the name `demo` stands for."""
    return settings.demo_model or ("demo" if settings.simulates_model else REAL_MODEL)


def simulated_notes(settings: LocalSettings) -> tuple[str, ...]:
    """Says plainly what is not real, one line each."""
    notes = []
    if settings.simulates_model:
        notes.append("The model is a simulator: set OPENAI_API_KEY (and OPENAI_BASE_URL) for a real one.")
    if settings.simulates_moodle:
        notes.append(
            "Moodle is a simulator: set THREADWORKS_MOODLE_BASE_URL and THREADWORKS_MOODLE_TOKEN for a real one."
        )
    return tuple(notes)
