"""Files as values: what a file is besides its bytes, and what is handed in to make one."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An uploaded file. Its bytes are in the file store, under `storage_key`."""

    id: str
    created_at: datetime
    bytes: int
    filename: str
    purpose: str
    status: str
    """uploaded, processed or error."""
    status_details: str | None
    expires_at: datetime | None
    """When it is deleted by itself; None: never."""
    storage_key: str | None
    """None for a file that was imported without its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file whose bytes are stored already."""

    id: str
    bytes: int
    filename: str
    purpose: str
    expires_after: timedelta | None = None
    """How long it lives; None: until it is deleted."""
