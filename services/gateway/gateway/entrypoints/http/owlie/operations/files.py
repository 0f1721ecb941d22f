"""Upload: a file for assistants, as a form brings it."""

from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Final

from run_engine.domain.files import File, NewFile
from starlette.types import Message, Receive

from gateway.application.files import Files, Upload
from gateway.application.identities import NewIds
from gateway.entrypoints.http.body import FileTooLarge
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.file_names import safe_name
from gateway.entrypoints.http.multipart import Form, NotMultipart, Part
from gateway.entrypoints.http.owlie.presenters import ok
from gateway.entrypoints.http.owlie.refusals import Refusal

_FORM_BYTES: Final = 1024 * 1024
"""What a body may have besides its file."""


class FileOperations:
    """Handler for `/api/upload`. `largest_file` is in bytes."""

    def __init__(self, files: Files, new_ids: NewIds, *, largest_file: int) -> None:
        self._files = files
        self._new_ids = new_ids
        self._largest_file = largest_file

    async def upload(self, call: Call) -> Reply:
        """POST /api/upload: the first file of the form, whatever its field is called. Keys itself."""
        announced = call.headers.get(b"content-length")
        if announced is not None and int(announced) > self._largest_file + _FORM_BYTES:
            raise FileTooLarge(self._largest_file)
        try:
            form = Form(call.headers.get(b"content-type", b""), self._bounded(call.receive))
        except NotMultipart:
            raise Refusal(422, "Expected multipart/form-data with a file.") from None
        async with self._files.upload(call.tenant_id) as upload:
            content = sha256()
            filename = await self._read(form, upload, content.update)
            draft = NewFile(id=self._new_ids.file(), bytes=upload.size, filename=filename, purpose="assistants")

            async def finish() -> Reply:
                return ok(_shown(await upload.finish(draft)))

            if call.once is None:
                return await finish()
            return await call.once(sha256(content.digest() + filename.encode()).digest(), finish)

    def _bounded(self, receive: Receive) -> Receive:
        """Return what receives a body until it is too large: one in chunks does not announce how long it goes on."""
        taken = 0

        async def receive_more() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._largest_file + _FORM_BYTES:
                raise FileTooLarge(self._largest_file)
            return message

        return receive_more

    async def _read(self, form: Form, upload: Upload, seen: Callable[[bytes], None]) -> str:
        """Take in a form, its file into `upload` and past `seen`; return the file's name."""
        filename: str | None = None
        async for part in form.parts():
            if part.filename is not None and filename is None:
                filename = safe_name(part.filename)
                await upload.write(self._measured(part, seen))
        if filename is None:
            raise Refusal(422, "file: the form has no file")
        return filename

    async def _measured(self, part: Part, seen: Callable[[bytes], None]) -> AsyncIterator[bytes]:
        size = 0
        async for piece in part.pieces:
            size += len(piece)
            if size > self._largest_file:
                raise FileTooLarge(self._largest_file)
            seen(piece)
            yield piece


def _shown(made: File) -> dict[str, object]:
    return {
        "file_id": made.id,
        "filename": made.filename,
        "bytes": made.bytes,
        "created_at": int(made.created_at.timestamp()),
    }
