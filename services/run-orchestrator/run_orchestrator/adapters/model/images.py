"""The uploaded images of a prompt as data URLs: the model's server has no way to our files. Used by `client`."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from file_store import BytesMissing, FileStoreUnavailable
from run_engine.domain.files import File
from run_engine.errors import NotFound

from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.patience import Patience
from run_orchestrator.application.prompt import Prompt

LARGEST_IMAGE: Final = 20 * 1024 * 1024
"""Bytes of one image, as OpenAI's models take them."""
LARGEST_SUM: Final = 50 * 1024 * 1024
"""Bytes of all images of a prompt: OpenAI's limit for a request. It also bounds what a run holds in memory."""

_STORE_AWAY: Final = "The server cannot reach the store of its files."


@dataclass(frozen=True, slots=True)
class Images:
    """What became of the images that a prompt names, by file id."""

    urls: Mapping[str, str] = field(default_factory=dict)
    """`data:` URLs of those that are shown."""
    hidden: Mapping[str, str] = field(default_factory=dict)
    """Why the others are not, in words for the model."""


class ImageSource(Protocol):
    """Knows the images of prompts."""

    async def images_of(self, prompt: Prompt) -> Images:
        """Load them. Raises `ModelFailure` where they cannot be had now."""
        ...


class FileRows(Protocol):
    """Knows files by id."""

    async def get(self, tenant_id: str, file_id: str) -> File:
        """Raises `NotFound`."""
        ...


class FileBytes(Protocol):
    """Has the bytes of files."""

    async def read(self, key: str, length: int) -> bytes:
        """Raises `BytesMissing` and `FileStoreUnavailable`."""
        ...


class UploadedImages:
    """`ImageSource` on the files of the engine."""

    def __init__(self, rows: FileRows, stored: FileBytes, patience: Patience) -> None:
        self._rows = rows
        self._stored = stored
        self._patience = patience

    async def images_of(self, prompt: Prompt) -> Images:
        """Load the images of the newest messages first; those that exceed the sum of all are not shown."""
        urls: dict[str, str] = {}
        hidden: dict[str, str] = {}
        room = LARGEST_SUM
        for file_id in _newest_first(prompt):
            try:
                file = await self._file(prompt.tenant_id, file_id)
                if file.bytes > min(room, LARGEST_IMAGE):
                    hidden[file_id] = "it is too large"
                    continue
                content = await self._content(file)
            except (NotFound, BytesMissing):
                hidden[file_id] = "it was deleted"
                continue
            kind = image_type(content)
            if kind is None:
                hidden[file_id] = "it is no PNG, JPEG, GIF or WebP"
                continue
            room -= len(content)
            urls[file_id] = f"data:{kind};base64,{b64encode(content).decode('ascii')}"
        return Images(urls, hidden)

    async def _file(self, tenant_id: str, file_id: str) -> File:
        return await self._patience.read(lambda: self._rows.get(tenant_id, file_id))

    async def _content(self, file: File) -> bytes:
        if file.storage_key is None:
            raise BytesMissing(file.id)
        try:
            return await self._stored.read(file.storage_key, file.bytes)
        except FileStoreUnavailable:
            raise ModelFailure(FailureKind.UNAVAILABLE, _STORE_AWAY) from None


def image_type(content: bytes) -> str | None:
    """Return the media type that the first bytes of a file tell; None for what models do not take."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def _newest_first(prompt: Prompt) -> Iterable[str]:
    named: dict[str, None] = {}
    for message in reversed(prompt.messages):
        for part in message.content:
            # Other roles than the user's have no images on the wire.
            if part["type"] == "image_file" and message.role == "user":
                named[part["image_file"]["file_id"]] = None
    return named
