"""What a message says as one text, for dialects whose messages are one. Pure."""

from collections.abc import Iterable

from run_engine.domain.objects import Json


def plain_text(content: Iterable[Json]) -> str:
    """The texts of a message's parts, a paragraph each; what a model refuses with is text. Images say nothing."""
    texts = (part["text"]["value"] if part["type"] == "text" else part.get("refusal") for part in content)
    return "\n\n".join(text for text in texts if text)
