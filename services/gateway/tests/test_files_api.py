"""Files over HTTP: uploads, downloads, deletion, and what is refused."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from gateway.application.files import STEP
from gateway.settings import GatewaySettings

LARGE = hashlib.shake_256(b"a file").digest(STEP + 3_000_017)


@pytest.fixture
def on_disk(settings: GatewaySettings) -> Any:
    """The bytes of all files that there are, and of unfinished ones."""
    folder = Path(settings.data_dir) / "files"
    return lambda: sorted(each.read_bytes() for each in folder.rglob("*") if each.is_file())


class Uploader:
    """A tenant that uploads."""

    def __init__(self, caller: Any, url: str) -> None:
        self.caller = caller
        self.url = url

    async def upload(self, content: bytes = b"abc", name: str = "a.txt", **fields: str) -> Any:
        reply = await self.post({"purpose": "assistants", **fields}, [("file", (name, content))])
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def post(self, fields: dict[str, Any], files: Any, **request: Any) -> httpx.Response:
        return await self.caller.http.post("/files", data=fields, files=files, **request)  # type: ignore[no-any-return]

    async def refused(self, fields: dict[str, Any], files: Any, status: int = 400) -> Any:
        reply = await self.post(fields, files)
        assert reply.status_code == status, reply.text
        return reply.json()["error"]

    async def content(self, file_id: str, **headers: str) -> httpx.Response:
        return await self.caller.http.get(f"/files/{file_id}/content", headers=headers)  # type: ignore[no-any-return]

    async def sql(self, statement: str, *values: Any) -> Any:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(statement, self.caller.tenant, *values)
        finally:
            await connection.close()

    async def used(self) -> int:
        return int(await self.sql("SELECT coalesce(sum(bytes), 0) FROM file_usage WHERE tenant_id = $1"))

    async def loose(self) -> int:
        return int(await self.sql("SELECT count(*) FROM loose_files WHERE tenant_id = $1"))


@pytest.fixture
def uploader(caller: Any, migrated_url: str) -> Uploader:
    return Uploader(caller, migrated_url)


async def test_a_file_has_a_life(uploader: Uploader, caller: Any, on_disk: Any) -> None:
    before = on_disk()
    made = await uploader.upload(b"hello", "notes.md", purpose="user_data")
    assert made["id"].startswith("file-")
    assert made == {
        "id": made["id"],
        "object": "file",
        "bytes": 5,
        "created_at": made["created_at"],
        "filename": "notes.md",
        "purpose": "user_data",
        "status": "processed",
    }
    assert await caller.get(f"/files/{made['id']}") == made
    assert (await uploader.content(made["id"])).content == b"hello"
    assert on_disk() == sorted([*before, b"hello"])
    assert await caller.delete(f"/files/{made['id']}") == {"id": made["id"], "object": "file", "deleted": True}
    assert on_disk() == before
    assert (await uploader.used(), await uploader.loose()) == (0, 0)
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
        error = await caller.refused(method, f"/files/{made['id']}{path}", 404)
        assert error["message"] == f"No file found with id '{made['id']}'."


@pytest.mark.parametrize("content", [b"", b"\r\n--\r\n--x", LARGE], ids=["empty", "dashes", "large"])
async def test_what_was_uploaded_comes_back(uploader: Uploader, content: bytes) -> None:
    made = await uploader.upload(content, "bild.png", purpose="vision")
    assert made["bytes"] == len(content) == await uploader.used()
    reply = await uploader.content(made["id"])
    assert reply.content == content
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-length"] == str(len(content))
    assert reply.headers["content-disposition"] == "attachment; filename=\"bild.png\"; filename*=UTF-8''bild.png"
    assert reply.headers["x-content-type-options"] == "nosniff"
    head = await uploader.caller.http.head(f"/files/{made['id']}/content")
    assert (head.headers["content-length"], head.content) == (str(len(content)), b"")


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=5-", 5, 10), ("bytes=2-4", 2, 5), ("bytes=2-400", 2, 10), ("bytes=-3", 7, 10)],
)
async def test_a_range_of_a_file(uploader: Uploader, asked: str, start: int, end: int) -> None:
    made = await uploader.upload(b"0123456789")
    reply = await uploader.content(made["id"], range=asked)
    assert (reply.status_code, reply.content) == (206, b"0123456789"[start:end])
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/10"
    assert reply.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=4-2", "bytes=0-1,3-4", "lines=1-2", "bytes=x-", "bytes= 1-2"])
async def test_a_range_that_says_nothing_is_the_whole_file(uploader: Uploader, asked: str) -> None:
    made = await uploader.upload(b"0123456789")
    reply = await uploader.content(made["id"], range=asked)
    assert (reply.status_code, reply.content) == (200, b"0123456789")


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=-0", "bytes=999-1000"])
async def test_a_range_behind_the_end(uploader: Uploader, asked: str) -> None:
    made = await uploader.upload(b"0123456789")
    reply = await uploader.content(made["id"], range=asked)
    assert (reply.status_code, reply.headers["content-range"]) == (416, "bytes */10")


async def test_pages_and_purposes(uploader: Uploader, caller: Any) -> None:
    made = [await uploader.upload(purpose=purpose) for purpose in ("vision", "batch", "fine-tune", "vision")]
    found = await caller.get("/files")
    assert ([each["id"] for each in found["data"]], found["has_more"]) == ([each["id"] for each in made[::-1]], False)
    found = await caller.get("/files", limit=2, order="asc", after=made[0]["id"])
    assert (found["data"], found["has_more"]) == (made[1:3], True)
    assert (found["first_id"], found["last_id"]) == (made[1]["id"], made[2]["id"])
    assert (await caller.get("/files", purpose="vision"))["data"] == [made[3], made[0]]
    assert (await caller.get("/files", purpose="no such\x00purpose"))["data"] == []
    assert len((await caller.get("/files", limit=10_000))["data"]) == 4
    error = await caller.refused("GET", "/files?limit=10001")
    assert (
        error["message"]
        == "Invalid 'limit': integer above maximum value. Expected a value <= 10000, but got 10001 instead."
    )
    assert (await caller.refused("GET", "/files?after=file-x", 404))["message"] == "No file found with id 'file-x'."


async def test_a_file_that_ends_by_itself(uploader: Uploader, caller: Any) -> None:
    ending = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    made = await uploader.upload(**ending)
    assert made["expires_at"] == made["created_at"] + 3600
    await uploader.sql("UPDATE files SET expires_at = clock_timestamp() WHERE tenant_id = $1 AND id = $2", made["id"])
    await caller.refused("GET", f"/files/{made['id']}", 404)


FILE = [("file", ("a.txt", b"abc"))]
SUPPORTED = "'assistants', 'batch', 'fine-tune', 'vision', 'user_data', and 'evals'"


@pytest.mark.parametrize(
    ("fields", "files", "message", "param"),
    [
        ({"purpose": "vision"}, [("x", ("a", b""))], "Unknown parameter: 'x'.", "x"),
        ({}, FILE, "Missing required parameter: 'purpose'.", "purpose"),
        ({"purpose": "answers"}, FILE, f"Invalid value: 'answers'. Supported values are: {SUPPORTED}.", "purpose"),
        (
            {"purpose": "assistants_output"},
            FILE,
            f"Invalid value: 'assistants_output'. Supported values are: {SUPPORTED}.",
            "purpose",
        ),
        ({"purpose": "vision", "size": "1"}, FILE, "Unknown parameter: 'size'.", "size"),
        (
            {"purpose": "vision", "file": "abc"},
            [("other", (None, b"x"))],
            "Invalid type for 'file': expected a file, but got a string instead.",
            "file",
        ),
        (
            {"purpose": "vision"},
            [*FILE, *FILE],
            "Invalid value for 'file': only one file is uploaded at a time.",
            "file",
        ),
        (
            {"purpose": "vision", "expires_after[anchor]": "created_at"},
            FILE,
            "Missing required parameter: 'expires_after.seconds'.",
            "expires_after.seconds",
        ),
        (
            {"purpose": "vision", "expires_after[anchor]": "created_at", "expires_after[seconds]": "3599"},
            FILE,
            "Invalid 'expires_after.seconds': integer below minimum value. "
            "Expected a value >= 3600, but got 3599 instead.",
            "expires_after.seconds",
        ),
        (
            {"purpose": "vision", "expires_after[anchor]": "created_at", "expires_after[seconds]": "1 h"},
            FILE,
            "Invalid type for 'expires_after.seconds': expected an integer, but got a string instead.",
            "expires_after.seconds",
        ),
        (
            {"purpose": "vision", "expires_after": "never"},
            FILE,
            "Invalid type for 'expires_after': expected an object, but got a string instead.",
            "expires_after",
        ),
    ],
)
async def test_forms_that_are_refused(
    uploader: Uploader, on_disk: Any, fields: dict[str, str], files: Any, message: str, param: str
) -> None:
    before = on_disk()
    error = await uploader.refused(fields, files)
    assert (error["message"], error["param"]) == (message, param)
    assert on_disk() == before
    assert (await uploader.used(), await uploader.loose()) == (0, 0)


async def test_a_form_without_a_file(uploader: Uploader) -> None:
    error = await uploader.refused({}, [("purpose", (None, b"vision"))])
    assert (error["message"], error["code"]) == ("Missing required parameter: 'file'.", "missing_required_parameter")


def form(*parts: bytes, end: bytes = b"--x--\r\n") -> bytes:
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + end


PURPOSE = b'Content-Disposition: form-data; name="purpose"\r\n\r\nvision'
CONTENT = b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc'


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it ends before its last boundary"),
        (form(PURPOSE, CONTENT, end=b""), "it ends before its last boundary"),
        (b"--y\r\n\r\n--y--", "its parts cannot be told apart"),
        (form(b"Content-Disposition: form-data\r\n\r\nx"), "a part has no name"),
        (form(b"X: y\r\n\r\nx"), "a part has no name"),
        (
            form(b'Content-Disposition: form-data; name="purpose"\r\n\r\n' + b"x" * 5000),
            "the field 'purpose' is longer",
        ),
        (form(b'Content-Disposition: form-data; name="purpose"\r\n\r\n\xff'), "the field 'purpose' is not UTF-8"),
        (form(*[PURPOSE] * 65), "it has more than 64 parts"),
    ],
)
async def test_bodies_that_are_no_form(uploader: Uploader, caller: Any, on_disk: Any, body: bytes, reason: str) -> None:
    before = on_disk()
    headers = {"content-type": "multipart/form-data; boundary=x"}
    error = await caller.refused("POST", "/files", content=body, headers=headers)
    assert error["message"].startswith(f"We could not parse the multipart form of your request: {reason}")
    assert on_disk() == before
    assert await uploader.loose() == 0


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "multipart/mixed; boundary=x", ""])
async def test_other_media_types_are_refused(caller: Any, kind: str) -> None:
    error = await caller.refused("POST", "/files", content=b"{}", headers={"content-type": kind})
    assert error["message"].startswith(
        f"Unsupported content type: '{kind}'. This API method only accepts 'multipart/form-data' requests"
    )


@pytest.mark.parametrize("announced", [True, False])
async def test_a_file_that_is_too_large(
    uploader: Uploader, caller: Any, on_disk: Any, settings: GatewaySettings, announced: bool
) -> None:
    before = on_disk()
    most = settings.largest_file
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'

    async def body() -> AsyncIterator[bytes]:
        yield head
        for _ in range(most // 65536 + 33):
            yield b"y" * 65536

    headers = {"content-type": "multipart/form-data; boundary=x"}
    content: Any = body()
    if announced:
        headers["content-length"] = str(most + 2 * 1024 * 1024)
    error = await caller.refused("POST", "/files", 413, content=content, headers=headers)
    assert (error["message"], error["code"]) == (
        f"File is too large. The maximum size is {most} bytes.",
        "file_too_large",
    )
    assert on_disk() == before
    assert (await uploader.used(), await uploader.loose()) == (0, 0)


async def test_the_largest_file_is_far_above_the_largest_body(uploader: Uploader, settings: GatewaySettings) -> None:
    assert settings.largest_file > 2 * settings.largest_body
    made = await uploader.upload(b"x" * settings.largest_file)
    assert made["bytes"] == settings.largest_file


async def test_the_quota(uploader: Uploader, caller: Any, on_disk: Any) -> None:
    await uploader.sql("UPDATE tenants SET file_quota = 1000 WHERE id = $1")
    first = await uploader.upload(b"x" * 1000)
    before = on_disk()
    error = await uploader.refused({"purpose": "vision"}, FILE)
    assert error["code"] == "storage_quota_exceeded"
    assert (on_disk(), await uploader.used(), await uploader.loose()) == (before, 1000, 0)
    await caller.delete(f"/files/{first['id']}")
    await uploader.upload(b"abc")
    assert await uploader.used() == 3


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.txt", "a.txt"),
        ("..", "file"),
        ("a/", "file"),
        ("", "file"),
        ('a"b;c.txt', 'a"b;c.txt'),
        ("Übung 1 – Lösung.pdf", "Übung 1 – Lösung.pdf"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("x" * 300 + ".pdf", "x" * 223 + "x" * 28 + ".pdf"),
    ],
)
async def test_file_names_are_made_safe(caller: Any, sent: str, kept: str) -> None:
    quoted = sent.replace("\\", "\\\\").replace('"', '\\"').encode()
    part = b'Content-Disposition: form-data; name="file"; filename="' + quoted + b'"\r\n\r\nabc'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    reply = await caller.http.post("/files", content=form(part, PURPOSE), headers=headers)
    assert reply.status_code == 200, reply.text
    assert reply.json()["filename"] == kept
    disposition = (await caller.http.get(f"/files/{reply.json()['id']}/content")).headers["content-disposition"]
    assert disposition.startswith('attachment; filename="')
    assert disposition.isascii()
    assert disposition.count('"') == 2


async def test_what_is_another_tenants_is_not_there(uploader: Uploader, new_caller: Any) -> None:
    made = await uploader.upload()
    stranger = await new_caller()
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
        await stranger.refused(method, f"/files/{made['id']}{path}", 404)
    assert (await stranger.get("/files"))["data"] == []


async def test_messages_name_files_that_are_there(uploader: Uploader, caller: Any) -> None:
    image, paper = await uploader.upload(purpose="vision"), await uploader.upload()
    part = {"type": "image_file", "image_file": {"file_id": image["id"], "detail": "low"}}
    attached = [{"file_id": paper["id"], "tools": [{"type": "file_search"}]}]
    message = {"role": "user", "content": [part], "attachments": attached}
    thread = await caller.thread()
    made = await caller.post(f"/threads/{thread}/messages", message)
    assert (made["content"], made["attachments"]) == ([part], attached)
    await caller.post("/threads", {"messages": [message]})

    await caller.delete(f"/files/{paper['id']}")
    before = await caller.rows()
    assistant = await caller.assistant()
    for path, body in (
        (f"/threads/{thread}/messages", message),
        ("/threads", {"messages": [message]}),
        (f"/threads/{thread}/runs", {"assistant_id": assistant, "additional_messages": [message]}),
        ("/threads/runs", {"assistant_id": assistant, "thread": {"messages": [message]}}),
    ):
        error = await caller.refused("POST", path, 404, json=body)
        assert error["message"] == f"No file found with id '{paper['id']}'."
    assert await caller.rows() == {**before, "assistants": before["assistants"] + 1}


async def test_a_file_without_its_bytes(uploader: Uploader, on_disk: Any) -> None:
    made = await uploader.upload(b"abc")
    await uploader.sql("UPDATE files SET storage_key = NULL WHERE tenant_id = $1 AND id = $2", made["id"])
    reply = await uploader.content(made["id"])
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "content_not_found")


async def test_evals_are_a_purpose_too(uploader: Uploader, caller: Any, facts: Any) -> None:
    made = await uploader.upload(purpose="evals")
    assert made["purpose"] == "evals"
    # The API takes this purpose, and its own description of a file does not know it.
    (problem,) = facts.problems
    assert '"evals" is not one of' in problem
    facts.problems.clear()
