"""Uploaded images reach the model: as data URLs, or as a note that says why not."""

import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from file_store import FileStore, FileStoreUnavailable, open_file_store
from run_engine.domain.files import File
from run_engine.domain.objects import Message, Run
from run_engine.errors import DatabaseUnavailable, NotFound
from run_orchestrator.adapters.model import images as images_module
from run_orchestrator.adapters.model.chat_request import body_of
from run_orchestrator.adapters.model.images import UploadedImages, image_type
from run_orchestrator.application.failures import FailureKind, ModelFailure
from run_orchestrator.application.patience import Patience
from run_orchestrator.application.prompt import Prompt, build_prompt

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
JPEG = b"\xff\xd8\xff\xe0" + b"pixels"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (b"GIF87a...", "image/gif"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
        (b"<svg>", None),
        (b"", None),
    ],
)
def test_what_a_file_is_is_told_by_its_content(content: bytes, kind: str | None) -> None:
    assert image_type(content) == kind


class Shelf:
    """The files of one tenant."""

    def __init__(self, stored: FileStore) -> None:
        self.stored = stored
        self.files: dict[str, File] = {}
        self.outages = 0
        self.asked: list[str] = []

    async def get(self, tenant_id: str, file_id: str) -> File:
        if self.outages:
            self.outages -= 1
            raise DatabaseUnavailable("away")
        self.asked.append(file_id)
        if tenant_id != "tenant" or file_id not in self.files:
            raise NotFound("file", file_id)
        return self.files[file_id]

    async def put(self, file_id: str, content: bytes) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield content

        await self.stored.put(f"ab/{file_id}", pieces())
        self.files[file_id] = File(
            id=file_id,
            created_at=datetime(2026, 11, 24, tzinfo=UTC),
            bytes=len(content),
            filename="a.bin",
            purpose="vision",
            status="processed",
            status_details=None,
            expires_at=None,
            storage_key=f"ab/{file_id}",
        )

    async def parts_of(self, prompt: Prompt) -> list[Any]:
        """The parts of the last message as they go to the model."""

        async def pause(_seconds: float) -> None:
            return

        images = await UploadedImages(self, self.stored, Patience(pause)).images_of(prompt)
        parts: list[Any] = orjson.loads(body_of(prompt, "upstream", images))["messages"][-1]["content"]
        return parts


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(open_file_store(None, tmp_path))


@pytest.fixture
def asking(a_run: Callable[..., Run], a_message: Callable[..., Message]) -> Callable[..., Prompt]:
    """A prompt with one message for each list of file ids, the newest last."""

    def ask(*messages: list[str], **image: str) -> Prompt:
        said = [
            a_message("look:", *({"type": "image_file", "image_file": {"file_id": each, **image}} for each in ids))
            for ids in messages
        ]
        return replace(build_prompt(a_run(), said[::-1], []), tenant_id="tenant")

    return ask


def url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


async def test_an_image_is_a_data_url_with_its_detail(shelf: Shelf, asking: Callable[..., Prompt]) -> None:
    await shelf.put("file-a", PNG)
    await shelf.put("file-b", JPEG)
    assert await shelf.parts_of(asking(["file-a", "file-b"], detail="low")) == [
        {"type": "text", "text": "look:"},
        {"type": "image_url", "image_url": {"url": url("image/png", PNG), "detail": "low"}},
        {"type": "image_url", "image_url": {"url": url("image/jpeg", JPEG), "detail": "low"}},
    ]


async def test_what_cannot_be_shown_is_said(
    shelf: Shelf, asking: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_module, "LARGEST_IMAGE", 100)
    await shelf.put("file-text", b"not an image")
    await shelf.put("file-large", PNG + b"x" * 100)
    await shelf.put("file-gone", PNG)
    await shelf.stored.delete("ab/file-gone")
    await shelf.put("file-imported", PNG)
    shelf.files["file-imported"] = replace(shelf.files["file-imported"], storage_key=None)
    named = ["file-text", "file-large", "file-gone", "file-imported", "file-unknown"]
    parts = await shelf.parts_of(asking(named))
    assert [part["text"] for part in parts[1:]] == [
        "[image file-text, which you cannot see: it is no PNG, JPEG, GIF or WebP]",
        "[image file-large, which you cannot see: it is too large]",
        "[image file-gone, which you cannot see: it was deleted]",
        "[image file-imported, which you cannot see: it was deleted]",
        "[image file-unknown, which you cannot see: it was deleted]",
    ]


async def test_the_newest_images_are_shown_when_there_is_no_room_for_all(
    shelf: Shelf, asking: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("file-old", "file-new"):
        await shelf.put(name, PNG)
    monkeypatch.setattr(images_module, "LARGEST_SUM", len(PNG))
    prompt = asking(["file-old"], ["file-new"])
    assert (await shelf.parts_of(prompt))[1]["type"] == "image_url"
    prompt = asking(["file-new"], ["file-old"])
    assert (await shelf.parts_of(prompt))[1]["type"] == "image_url"


async def test_an_image_is_loaded_once_however_often_it_is_shown(shelf: Shelf, asking: Callable[..., Prompt]) -> None:
    await shelf.put("file-a", PNG)
    await shelf.parts_of(asking(["file-a"], ["file-a", "file-a"]))
    assert shelf.asked == ["file-a"]


async def test_a_prompt_without_images_asks_nobody(shelf: Shelf, asking: Callable[..., Prompt]) -> None:
    assert await shelf.parts_of(asking([])) == "look:"
    assert shelf.asked == []


async def test_the_database_is_waited_for_and_the_store_tried_again(
    shelf: Shelf, asking: Callable[..., Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    await shelf.put("file-a", PNG)
    shelf.outages = 3
    assert (await shelf.parts_of(asking(["file-a"])))[1]["type"] == "image_url"

    async def away(_key: str, _length: int) -> bytes:
        raise FileStoreUnavailable("GenericError")

    monkeypatch.setattr(shelf.stored, "read", away)
    with pytest.raises(ModelFailure) as caught:
        await shelf.parts_of(asking(["file-a"]))
    assert caught.value.kind is FailureKind.UNAVAILABLE
