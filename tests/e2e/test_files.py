"""Files with the unmodified official SDK, and an uploaded image that reaches the model."""

import base64
import hashlib
from pathlib import Path

import pytest
from installation import Installation
from openai import NotFoundError
from scripted_model import ScriptedModel
from threadworks import demo

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def test_a_file_is_uploaded_listed_read_and_deleted(installation: Installation, tmp_path: Path) -> None:
    client = installation.client()
    content = hashlib.shake_256(b"a paper").digest(12_000_000)
    paper = tmp_path / "Übung 1.pdf"
    paper.write_bytes(content)
    made = await client.files.create(
        file=paper, purpose="assistants", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert (made.filename, made.bytes, made.purpose, made.status) == (
        "Übung 1.pdf",
        len(content),
        "assistants",
        "processed",
    )
    assert made.expires_at == made.created_at + 3600
    assert await client.files.retrieve(made.id) == made
    assert made.id in [each.id async for each in client.files.list(limit=1, purpose="assistants")]
    assert (await client.files.content(made.id)).content == content
    async with client.files.with_streaming_response.content(made.id) as streamed:
        digest = hashlib.sha256()
        async for piece in streamed.iter_bytes(65536):
            digest.update(piece)
        assert streamed.headers["content-length"] == str(len(content))
    assert digest.digest() == hashlib.sha256(content).digest()

    stored = installation.data_dir / "files"
    assert content in [each.read_bytes() for each in stored.rglob("*") if each.is_file()]
    assert (await client.files.delete(made.id)).deleted
    assert content not in [each.read_bytes() for each in stored.rglob("*") if each.is_file()]
    with pytest.raises(NotFoundError, match=f"No file found with id '{made.id}'"):
        await client.files.content(made.id)


async def test_an_uploaded_image_reaches_the_model(installation: Installation, model: ScriptedModel) -> None:
    client = installation.client()
    image = await client.files.create(file=("a.png", PNG), purpose="vision")
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=demo.ASSISTANT,
        thread={
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Was siehst du?"},
                        {"type": "image_file", "image_file": {"file_id": image.id, "detail": "low"}},
                    ],
                    "attachments": [{"file_id": image.id, "tools": [{"type": "code_interpreter"}]}],
                }
            ]
        },
    )
    assert (run.status, run.last_error) == ("completed", None)
    asked = (await client.beta.threads.messages.list(run.thread_id, order="asc")).data[0]
    assert asked.content[1].type == "image_file"
    assert asked.attachments is not None
    assert [each.file_id for each in asked.attachments] == [image.id]
    assert f"data:image/png;base64,{base64.b64encode(PNG).decode()}" in model.asked()
