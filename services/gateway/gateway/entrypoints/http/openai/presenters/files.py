"""File objects."""

from typing import Any

from run_engine.domain.files import File

from gateway.entrypoints.http.openai.presenters.words import seconds


def file(found: File) -> dict[str, Any]:
    """Return a `file`. The last two are only there where they say something: the schema knows no null for them."""
    shown: dict[str, Any] = {
        "id": found.id,
        "object": "file",
        "bytes": found.bytes,
        "created_at": seconds(found.created_at),
        "filename": found.filename,
        "purpose": found.purpose,
        "status": found.status,
    }
    if found.expires_at is not None:
        shown["expires_at"] = seconds(found.expires_at)
    if found.status_details is not None:
        shown["status_details"] = found.status_details
    return shown


def deleted(file_id: str) -> dict[str, Any]:
    """Return what a DELETE replies; unlike for all other objects, the word is the object's own."""
    return {"id": file_id, "object": "file", "deleted": True}
