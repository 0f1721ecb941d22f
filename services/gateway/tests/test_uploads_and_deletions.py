"""Uploads and deletions that something interrupts: what is left of them, and who clears it away."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from event_bus.in_process import InProcessBus
from file_store import FileStore, FileStoreUnavailable
from gateway.application.file_sweeping import FileSweeping
from gateway.application.files import RENEWAL, STEP, Files
from gateway.bootstrap import build
from gateway.settings import GatewaySettings
from run_engine.domain.files import NewFile
from run_engine.errors import DatabaseUnavailable, NotFound, UploadGivenUp
from run_engine.process import EngineProcess
from run_engine.store.files import Files as Rows

HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


@pytest.fixture
def on_disk(settings: GatewaySettings) -> Callable[[], set[str]]:
    """The names of all files that there are, whole or not."""
    folder = Path(settings.data_dir) / "files"
    return lambda: {str(each) for each in folder.rglob("*") if each.is_file()}


class Weak:
    """A store of bytes that does not always work."""

    def __init__(self, stored: FileStore) -> None:
        self._stored = stored
        self.away = False

    async def put(self, key: str, pieces: AsyncIterator[bytes]) -> None:
        self._check()
        await self._stored.put(key, pieces)

    def pieces(self, key: str, start: int, end: int) -> AsyncGenerator[bytes, None]:
        self._check()
        return self._stored.pieces(key, start, end)

    async def delete(self, key: str) -> None:
        self._check()
        await self._stored.delete(key)

    def _check(self) -> None:
        if self.away:
            raise FileStoreUnavailable("GenericError (SlowDown)")


class Desk:
    """The files of a tenant, at a store that may be away."""

    def __init__(self, caller: Any, rows: Rows, stored: FileStore, url: str) -> None:
        self.tenant: str = caller.tenant
        self.rows = rows
        self.bytes = Weak(stored)
        self.now = 0.0
        self.files = Files(rows, self.bytes, clock=lambda: self.now)
        self.sweeping = FileSweeping(rows, self.bytes)
        self.url = url

    async def upload(self, *pieces: bytes) -> Any:
        async with self.files.upload(self.tenant) as upload:
            await upload.write(self.given(*pieces))
            return await upload.finish(self.draft(upload.size))

    @staticmethod
    async def given(*pieces: bytes) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    @staticmethod
    def draft(size: int) -> NewFile:
        return NewFile(id="file-a", bytes=size, filename="a", purpose="batch")

    async def make_due(self) -> None:
        connection = await asyncpg.connect(self.url)
        await connection.execute("UPDATE loose_files SET free_at = clock_timestamp() WHERE tenant_id = $1", self.tenant)
        await connection.close()

    async def loose(self) -> int:
        connection = await asyncpg.connect(self.url)
        count = await connection.fetchval("SELECT count(*) FROM loose_files WHERE tenant_id = $1", self.tenant)
        await connection.close()
        return int(count)


@pytest_asyncio.fixture
async def desk(caller: Any, engine: EngineProcess, stored: FileStore, migrated_url: str) -> Desk:
    return Desk(caller, Rows(engine.database), stored, migrated_url)


async def test_a_file_is_deleted_though_its_bytes_cannot_be_just_now(desk: Desk, on_disk: Any) -> None:
    before = on_disk()
    await desk.upload(b"abc")
    desk.bytes.away = True
    await desk.files.delete(desk.tenant, "file-a")
    with pytest.raises(NotFound):
        await desk.files.get(desk.tenant, "file-a")
    await desk.make_due()
    assert await desk.sweeping.sweep() == 0
    assert on_disk() > before
    desk.bytes.away = False
    await desk.make_due()
    assert await desk.sweeping.sweep() == 1
    assert (on_disk(), await desk.loose()) == (before, 0)


async def test_what_a_process_left_that_died_between_bytes_and_row(desk: Desk, on_disk: Any) -> None:
    before = on_disk()
    upload = desk.files.upload(desk.tenant)
    # Never left, as by a process that is killed.
    await upload.__aenter__()
    await upload.write(desk.given(b"abc"))
    assert on_disk() > before
    assert await desk.sweeping.sweep() == 0, "it may still live"
    await desk.make_due()
    assert await desk.sweeping.sweep() == 1
    assert on_disk() == before
    with pytest.raises(UploadGivenUp):
        await upload.finish(desk.draft(3))


async def test_bytes_that_come_after_they_were_given_up_do_not_stay(
    desk: Desk, on_disk: Any, stored: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = on_disk()

    async def slept_through(key: str, pieces: AsyncIterator[bytes]) -> None:
        # The machine sleeps, and its clock with it; others clear away what seems to be left of the upload.
        taken = [piece async for piece in pieces]
        await desk.make_due()
        assert await desk.sweeping.sweep() == 1
        await stored.put(key, desk.given(*taken))

    monkeypatch.setattr(desk.bytes, "put", slept_through)
    with pytest.raises(UploadGivenUp):
        await desk.upload(b"abc")
    assert (on_disk(), await desk.loose()) == (before, 0)


async def test_an_upload_whose_end_is_not_known_keeps_its_bytes(
    desk: Desk, on_disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = desk.rows.create

    async def committed_and_cut(*given: Any) -> Any:
        await create(*given)
        raise DatabaseUnavailable("cut")

    monkeypatch.setattr(desk.rows, "create", committed_and_cut)
    before = on_disk()
    with pytest.raises(DatabaseUnavailable):
        await desk.upload(b"abc")
    assert len(on_disk() - before) == 1
    made = await desk.files.get(desk.tenant, "file-a")
    assert b"".join([piece async for piece in await desk.files.content(made, 0, 3)]) == b"abc"


async def test_a_slow_upload_says_that_it_lives(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    extended: list[int] = []
    extend = desk.rows.extend

    async def noted(tenant_id: str, key: str, size: int) -> None:
        extended.append(size)
        await extend(tenant_id, key, size)

    monkeypatch.setattr(desk.rows, "extend", noted)

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x"
            desk.now += RENEWAL + 1
        yield b"x" * STEP

    async with desk.files.upload(desk.tenant) as upload:
        await upload.write(slowly())
        await upload.finish(desk.draft(upload.size))
    assert extended == [STEP, 0, 0, STEP]


async def test_the_sweeping_goes_on_whatever_happens(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[str] = []
    done = asyncio.Event()

    async def expire() -> int:
        rounds.append("round")
        if len(rounds) == 1:
            raise DatabaseUnavailable("away")
        if len(rounds) == 2:
            raise RuntimeError("a fault")
        done.set()
        return 0

    async def pause(_seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(desk.rows, "expire", expire)
    sweeping = FileSweeping(desk.rows, desk.bytes, pause=pause)
    sweeping.start()
    async with asyncio.timeout(10):
        await done.wait()
    await sweeping.stop()


@pytest_asyncio.fixture(scope="module")
async def port(settings: GatewaySettings) -> AsyncIterator[int]:
    bus = InProcessBus()
    await bus.start()
    service = build(settings, bus)
    await service.start()
    yield service.port
    await service.stop()
    await bus.stop()


async def test_a_client_that_goes_in_the_middle_leaves_nothing(
    port: int, desk: Desk, caller: Any, on_disk: Callable[[], set[str]]
) -> None:
    before = on_disk()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + caller.key.encode() + b"\r\n"
        b"content-type: multipart/form-data; boundary=x\r\ncontent-length: 18000000\r\n\r\n" + HEAD
    )
    for _ in range(250):
        writer.write(b"x" * 65536)
        await writer.drain()
    async with asyncio.timeout(20):
        while on_disk() == before or not await desk.loose():
            await asyncio.sleep(0.01)
        writer.transport.abort()
        while on_disk() != before or await desk.loose():
            await asyncio.sleep(0.01)


async def test_503_while_the_store_is_away(
    port: int, caller: Any, settings: GatewaySettings, facts: Any, stored: FileStore, desk: Desk
) -> None:
    await desk.upload(b"abc")
    folder = Path(settings.data_dir) / "files"
    hidden = folder.with_name("hidden")
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}/v1",
        headers={"authorization": f"Bearer {caller.key}"},
        event_hooks={"response": [facts.sees_async]},
    ) as http:
        folder.rename(hidden)
        folder.write_bytes(b"no folder")
        try:
            form = {"data": {"purpose": "batch"}, "files": {"file": ("a", b"abc")}}
            refused = [await http.post("/files", **form), await http.get("/files/file-a/content")]  # type: ignore[arg-type]
        finally:
            folder.unlink()
            hidden.rename(folder)
        assert [(each.status_code, each.json()["error"]["code"]) for each in refused] == [
            (503, "service_unavailable"),
            (503, "service_unavailable"),
        ]
        assert str(folder) not in "".join(each.text for each in refused)
        assert (await http.get("/files/file-a/content")).content == b"abc"
