"""Files in the database: quota, uploads that live and die, deletion and expiry. The bytes themselves are elsewhere."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from engine_world import World, new_id
from run_engine.domain.drafts import PageRequest
from run_engine.domain.files import File, NewFile
from run_engine.errors import FileQuotaExceeded, NotFound, UploadGivenUp
from run_engine.store.files import Files


class Uploads:
    """A tenant's files, and what a test does to them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tenant = world.tenant
        self.files = Files(world.database)

    async def quota(self, size: int) -> None:
        await self.world.sql("UPDATE tenants SET file_quota = $2 WHERE id = $1", self.tenant, size)

    async def used(self) -> int:
        found = await self.world.sql("SELECT bytes FROM file_usage WHERE tenant_id = $1", self.tenant)
        return int(found[0]["bytes"]) if found else 0

    async def loose(self) -> set[str]:
        found = await self.world.sql("SELECT storage_key FROM loose_files WHERE tenant_id = $1", self.tenant)
        return {row["storage_key"] for row in found}

    async def make_due(self, key: str) -> None:
        await self.world.sql("UPDATE loose_files SET free_at = clock_timestamp() WHERE storage_key = $1", key)

    async def reserved(self, size: int) -> str:
        key = uuid4().hex
        await self.files.reserve(self.tenant, key, size)
        return key

    async def file(self, size: int = 10, **fields: Any) -> File:
        draft = NewFile(id=new_id("file"), bytes=size, filename="a.txt", **{"purpose": "assistants", **fields})
        return await self.files.create(self.tenant, await self.reserved(size), draft)


@pytest.fixture
def uploads(world: World) -> Uploads:
    return Uploads(world)


@pytest.fixture
def lonely_uploads(lonely_world: World) -> Uploads:
    return Uploads(lonely_world)


async def test_a_file_is_what_was_stored_and_counts_what_it_has(uploads: Uploads) -> None:
    key = await uploads.reserved(1000)
    assert (await uploads.used(), await uploads.loose()) == (1000, {key})
    await uploads.files.extend(uploads.tenant, key, 500)
    assert await uploads.used() == 1500
    draft = NewFile(id=new_id("file"), bytes=1200, filename="ä.txt", purpose="vision", expires_after=timedelta(hours=1))
    made = await uploads.files.create(uploads.tenant, key, draft)
    assert (await uploads.used(), await uploads.loose()) == (1200, set())
    assert (made.bytes, made.filename, made.purpose, made.status) == (1200, "ä.txt", "vision", "processed")
    assert made.expires_at == made.created_at + timedelta(hours=1)
    assert await uploads.files.get(uploads.tenant, made.id) == made
    with pytest.raises(NotFound):
        await uploads.files.get("somebody else", made.id)


async def test_the_quota_holds_for_what_is_stored_and_for_what_is_on_its_way(uploads: Uploads) -> None:
    await uploads.quota(100)
    await uploads.file(60)
    key = await uploads.reserved(30)
    with pytest.raises(FileQuotaExceeded):
        await uploads.files.extend(uploads.tenant, key, 11)
    with pytest.raises(FileQuotaExceeded):
        await uploads.reserved(11)
    await uploads.files.extend(uploads.tenant, key, 10)
    assert await uploads.used() == 100


async def test_the_first_upload_has_a_quota_too(uploads: Uploads) -> None:
    await uploads.quota(100)
    with pytest.raises(FileQuotaExceeded):
        await uploads.reserved(101)
    assert await uploads.loose() == set()


async def test_uploads_at_once_never_exceed_the_quota_together(uploads: Uploads) -> None:
    await uploads.quota(100)

    async def upload() -> bool:
        try:
            key = await uploads.reserved(5)
            await uploads.files.extend(uploads.tenant, key, 5)
        except FileQuotaExceeded:
            return False
        return True

    outcomes = await asyncio.gather(*(upload() for _ in range(40)))
    found = await uploads.world.sql("SELECT sum(bytes) AS sum FROM loose_files WHERE tenant_id = $1", uploads.tenant)
    assert await uploads.used() == found[0]["sum"] == 100
    assert sum(outcomes) <= 10


async def test_an_upload_that_was_given_up_becomes_no_file_and_frees_its_room(uploads: Uploads) -> None:
    key = await uploads.reserved(1000)
    assert await uploads.files.give_up(uploads.tenant, key)
    with pytest.raises(UploadGivenUp):
        await uploads.files.extend(uploads.tenant, key, 1)
    with pytest.raises(UploadGivenUp):
        await uploads.files.create(
            uploads.tenant, key, NewFile(id=new_id("file"), bytes=1, filename="a", purpose="batch")
        )
    assert await uploads.used() == 1000, "its bytes may still be there"
    await uploads.files.forget(key)
    assert (await uploads.used(), await uploads.loose()) == (0, set())


async def test_a_file_is_not_given_up(uploads: Uploads) -> None:
    made = await uploads.file()
    assert made.storage_key is not None
    assert not await uploads.files.give_up(uploads.tenant, made.storage_key)
    await uploads.files.forget(made.storage_key)
    assert await uploads.used() == 10
    assert (await uploads.files.get(uploads.tenant, made.id)) == made


async def test_an_upload_that_lives_is_not_forgotten_under_its_hands(uploads: Uploads) -> None:
    key = await uploads.reserved(10)
    await uploads.files.forget(key)
    await uploads.files.extend(uploads.tenant, key, 1)
    assert (await uploads.used(), await uploads.loose()) == (11, {key})


async def test_deleting_leaves_the_key_until_its_bytes_are_gone(uploads: Uploads) -> None:
    made = await uploads.file(10)
    assert await uploads.files.delete(uploads.tenant, made.id) == made.storage_key
    assert (await uploads.used(), await uploads.loose()) == (10, {made.storage_key})
    for call in (uploads.files.get, uploads.files.delete):
        with pytest.raises(NotFound):
            await call(uploads.tenant, made.id)
    assert made.storage_key is not None
    await uploads.files.forget(made.storage_key)
    await uploads.files.forget(made.storage_key)
    assert (await uploads.used(), await uploads.loose()) == (0, set())


async def test_what_a_crash_left_is_taken_once_its_time_has_come(lonely_uploads: Uploads) -> None:
    uploads = lonely_uploads
    lives, died = await uploads.reserved(1), await uploads.reserved(1)
    half_deleted = await uploads.file()
    assert half_deleted.storage_key is not None
    await uploads.files.delete(uploads.tenant, half_deleted.id)
    assert await uploads.files.take_free() == []
    for key in (died, half_deleted.storage_key):
        await uploads.make_due(key)
    assert set(await uploads.files.take_free()) == {died, half_deleted.storage_key}
    assert await uploads.files.take_free() == [], "nobody else takes them meanwhile"
    with pytest.raises(UploadGivenUp):
        await uploads.files.extend(uploads.tenant, died, 1)
    await uploads.files.extend(uploads.tenant, lives, 1)
    # Whoever took them died as well.
    await uploads.make_due(died)
    assert await uploads.files.take_free() == [died]


async def test_files_end_when_their_time_is_over(lonely_uploads: Uploads) -> None:
    uploads = lonely_uploads
    stays = await uploads.file(expires_after=timedelta(hours=1))
    ends = await uploads.file()
    await uploads.world.sql("UPDATE files SET expires_at = clock_timestamp() WHERE id = $1", ends.id)
    for call in (uploads.files.get, uploads.files.delete):
        with pytest.raises(NotFound):
            await call(uploads.tenant, ends.id)
    assert (await uploads.files.list(uploads.tenant, PageRequest())).items == [stays]
    assert await uploads.files.unknown(uploads.tenant, [stays.id, ends.id]) == [ends.id]
    assert (await uploads.files.expire(), await uploads.files.expire()) == (1, 0)
    assert await uploads.files.take_free() == [ends.storage_key]


async def test_pages_of_all_files_and_of_one_purpose(uploads: Uploads) -> None:
    made = [await uploads.file(purpose=purpose) for purpose in ("vision", "batch", "vision", "batch", "vision")]
    page = await uploads.files.list(uploads.tenant, PageRequest(limit=3))
    assert (page.items, page.has_more) == (made[:1:-1], True)
    page = await uploads.files.list(uploads.tenant, PageRequest(limit=3, after=made[2].id))
    assert (page.items, page.has_more) == (made[1::-1], False)
    page = await uploads.files.list(uploads.tenant, PageRequest(limit=2, order="asc"), "vision")
    assert (page.items, page.has_more) == ([made[0], made[2]], True)
    page = await uploads.files.list(uploads.tenant, PageRequest(limit=2, order="asc", after=made[2].id), "vision")
    assert (page.items, page.has_more) == ([made[4]], False)
    assert (await uploads.files.list(uploads.tenant, PageRequest(), "evals")).items == []
    with pytest.raises(NotFound):
        await uploads.files.list(uploads.tenant, PageRequest(after="file-x"))


async def test_the_ids_that_no_file_has(uploads: Uploads) -> None:
    made = await uploads.file()
    assert await uploads.files.unknown(uploads.tenant, ["file-b", made.id, "file-a"]) == ["file-b", "file-a"]
    assert await uploads.files.unknown(uploads.tenant, [made.id]) == []
    assert await uploads.files.unknown("somebody else", [made.id]) == [made.id]
