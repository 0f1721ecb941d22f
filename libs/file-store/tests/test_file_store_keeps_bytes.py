"""What both kinds of store promise, each by the same tests."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from file_store import BytesMissing, FileStoreUnavailable
from file_store.store import PIECE

KEY = "ab/abcdef0123"


async def pieces_of(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def all_of(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


LARGE = hashlib.shake_256(b"some bytes").digest(20_000_003)


@pytest.mark.parametrize("content", [b"", b"x", LARGE], ids=["empty", "tiny", "several parts"])
async def test_what_is_put_can_be_got(place: Any, content: bytes) -> None:
    await place.store.put(KEY, pieces_of(content))
    assert await all_of(place.store.pieces(KEY, 0, len(content))) == content
    assert await place.store.read(KEY, len(content)) == content
    assert place.visible() == {KEY}
    assert place.unfinished() == []


async def test_a_range_and_the_beginning(place: Any) -> None:
    await place.store.put(KEY, pieces_of(LARGE))
    start, end = 1_000_001, 1_000_001 + 2 * PIECE + 5
    pieces = [piece async for piece in place.store.pieces(KEY, start, end)]
    assert b"".join(pieces) == LARGE[start:end]
    assert max(map(len, pieces)) == PIECE
    assert await place.store.read(KEY, 10) == LARGE[:10]


async def test_nothing_is_seen_before_all_of_it_is_there(place: Any) -> None:
    halfway, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        async for piece in pieces_of(LARGE):
            yield piece
        halfway.set()
        await go_on.wait()
        yield b"the end"

    putting = asyncio.create_task(place.store.put(KEY, slowly()))
    await halfway.wait()
    assert place.visible() == set()
    with pytest.raises(BytesMissing):
        await place.store.read(KEY, 1)
    go_on.set()
    await putting
    assert await place.store.read(KEY, len(LARGE) + 7) == LARGE + b"the end"


class ClientGone(OSError):
    """Of a kind that the store raises too."""


@pytest.mark.parametrize("kind", [ClientGone, ValueError, RuntimeError])
async def test_what_the_source_raises_comes_out_and_nothing_stays(place: Any, kind: type[Exception]) -> None:
    raised = kind("gone")

    async def breaking() -> AsyncIterator[bytes]:
        async for piece in pieces_of(LARGE):
            yield piece
        raise raised

    with pytest.raises(kind) as caught:
        await place.store.put(KEY, breaking())
    assert caught.value is raised
    assert (place.visible(), place.unfinished()) == (set(), [])


async def test_deleted_bytes_are_gone_and_may_be_deleted_again(place: Any) -> None:
    await place.store.put(KEY, pieces_of(b"abc"))
    await place.store.put("ab/another", pieces_of(b"abc"))
    for _ in range(2):
        await place.store.delete(KEY)
        assert place.visible() == {"ab/another"}
    with pytest.raises(BytesMissing):
        await all_of(place.store.pieces(KEY, 0, 3))


async def test_what_a_killed_process_left_in_the_folder_is_deleted_with_the_key(place: Any) -> None:
    if place.kind != "folder":
        return
    started, never = asyncio.Event(), asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        async for piece in pieces_of(LARGE):
            yield piece
        started.set()
        await never.wait()

    putting = asyncio.create_task(place.store.put(KEY, hanging()))
    await started.wait()
    (half,) = place.unfinished()
    content = (place.folder / half).read_bytes()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    # The task cleans up after itself, which a killed process cannot.
    (place.folder / half).write_bytes(content)
    await place.store.delete(KEY)
    assert place.unfinished() == []


async def test_a_store_that_does_not_work_says_so_without_its_address_or_secret(place: Any) -> None:
    if place.kind == "folder":
        place.folder.rmdir()
        place.folder.write_bytes(b"no folder")
    else:
        place.client.delete_bucket(Bucket=place.bucket)
    with pytest.raises(FileStoreUnavailable) as caught:
        await place.store.put(KEY, pieces_of(b"abc"))
    shown = f"{caught.value} {caught.value.__cause__}"
    assert place.bucket not in shown or not place.bucket
    assert str(place.folder) not in shown
