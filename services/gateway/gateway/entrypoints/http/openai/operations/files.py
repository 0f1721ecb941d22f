"""Files: upload, retrieve, list, delete, download.

Every file may be downloaded by whoever it belongs to; OpenAI kept back those that were uploaded for assistants.
"""

from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Final, TypeAlias

import orjson
from run_engine.domain.files import File, NewFile

from gateway.application.files import Files, Upload
from gateway.application.identities import NewIds
from gateway.entrypoints.http.body import FileTooLarge
from gateway.entrypoints.http.bytes_reply import BytesReply
from gateway.entrypoints.http.exchange import Call, Reply
from gateway.entrypoints.http.file_names import safe_name
from gateway.entrypoints.http.multipart import Form, NotMultipart
from gateway.entrypoints.http.openai.operations.replies import ok
from gateway.entrypoints.http.openai.presenters import files, lists
from gateway.entrypoints.http.openai.refusals import Refusal, clip
from gateway.entrypoints.http.openai.requests.files import CreateFile, create_file, disposition, span
from gateway.entrypoints.http.openai.requests.paging import page_request, parameters
from gateway.entrypoints.http.openai.requests.path_ids import known_form

MOST_LISTED: Final = 10_000
_FORM_BYTES: Final = 1024 * 1024
"""What a body may have besides its file: boundaries, headers, a few short fields."""

Seen: TypeAlias = Callable[[bytes], None]
"""Is shown the content of a file as it passes."""


class FileOperations:
    """Handlers for `/v1/files…`. `largest_file` is in bytes."""

    def __init__(self, application: Files, new_ids: NewIds, *, largest_file: int) -> None:
        self._files = application
        self._new_ids = new_ids
        self._largest_file = largest_file

    async def create(self, call: Call) -> Reply:
        """POST /files. The form may bring the file before or after its purpose. Keys itself."""
        announced = call.headers.get(b"content-length")
        if announced is not None and int(announced) > self._largest_file + _FORM_BYTES:
            raise FileTooLarge(self._largest_file)
        form = _form(call)
        async with self._files.upload(call.tenant_id) as upload:
            content = sha256()
            request, filename = await self._read(form, upload, None if call.once is None else content.update)
            draft = NewFile(
                id=self._new_ids.file(),
                bytes=upload.size,
                filename=filename,
                purpose=request.purpose,
                expires_after=request.lifetime,
            )

            async def finish() -> Reply:
                return ok(files.file(await upload.finish(draft)))

            if call.once is None:
                return await finish()
            # Two forms are never the same bytes, for each has a boundary of its own: what they say may be the same.
            form_digest = sha256(content.digest() + orjson.dumps([filename, request.model_dump(mode="json")]))
            return await call.once(form_digest.digest(), finish)

    async def list(self, call: Call) -> Reply:
        """GET /files, of one purpose or of all."""
        request = page_request(call.query, "file", otherwise=MOST_LISTED, most=MOST_LISTED)
        purpose = parameters(call.query).get("purpose") if call.query else None
        return ok(lists.page(await self._files.list(call.tenant_id, request, purpose), files.file))

    async def retrieve(self, call: Call) -> Reply:
        """GET /files/{file_id}."""
        return ok(files.file(await self._get(call)))

    async def delete(self, call: Call) -> Reply:
        """DELETE /files/{file_id}."""
        file_id = _id(call)
        await self._files.delete(call.tenant_id, file_id)
        return ok(files.deleted(file_id))

    async def content(self, call: Call) -> BytesReply:
        """GET /files/{file_id}/content, or a range of it."""
        found = await self._get(call)
        asked = span(call.headers.get(b"range"), found.bytes)
        headers = [
            (b"content-type", b"application/octet-stream"),
            (b"content-disposition", disposition(found.filename)),
            (b"accept-ranges", b"bytes"),
            # What users upload is never taken for a page of this server.
            (b"x-content-type-options", b"nosniff"),
        ]
        if asked.partial:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (asked.start, asked.end - 1, found.bytes)))
        pieces = await self._files.content(found, asked.start, asked.end)
        return BytesReply(206 if asked.partial else 200, pieces, asked.end - asked.start, tuple(headers))

    async def _get(self, call: Call) -> File:
        return await self._files.get(call.tenant_id, _id(call))

    async def _read(self, form: Form, upload: Upload, seen: Seen | None) -> tuple[CreateFile, str]:
        """Take in a form, its file into `upload` and past `seen`; return the request and the file's name."""
        fields: dict[str, str] = {}
        filename: str | None = None
        async for part in form.parts():
            if part.filename is None:
                fields[part.name] = await part.text()
            elif part.name != "file":
                raise Refusal(
                    400, f"Unknown parameter: '{clip(part.name)}'.", param=clip(part.name), code="unknown_parameter"
                )
            elif filename is not None:
                message = "Invalid value for 'file': only one file is uploaded at a time."
                raise Refusal(400, message, param="file", code="invalid_value")
            else:
                filename = safe_name(part.filename)
                await upload.write(_measured(part.pieces, self._largest_file, seen))
        return create_file(fields, has_file=filename is not None), filename or ""


def _form(call: Call) -> Form:
    given = call.headers.get(b"content-type", b"")
    try:
        return Form(given, call.receive)
    except NotMultipart:
        named = clip(given.decode("latin-1"))
        raise Refusal(
            400,
            f"Unsupported content type: '{named}'. This API method only accepts 'multipart/form-data' requests, but "
            f"you specified the header 'Content-Type: {named}'. Please try again with a supported content type.",
            code="unsupported_content_type",
        ) from None


async def _measured(pieces: AsyncIterator[bytes], limit: int, seen: Seen | None) -> AsyncIterator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise FileTooLarge(limit)
        if seen is not None:
            seen(piece)
        yield piece


def _id(call: Call) -> str:
    return known_form("file", call.values["file_id"])
