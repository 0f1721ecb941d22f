"""Forms, however they are cut into pieces on their way; and strange ones, of which none is a fault of the server."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from gateway.entrypoints.http.multipart import Form, Malformed, NotMultipart
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect
from starlette.types import Message

KIND = b"multipart/form-data; boundary=limit"


class Body:
    """A body that arrives in pieces; without its end where the client goes before."""

    def __init__(self, pieces: Sequence[bytes], *, ends: bool = True) -> None:
        self._messages: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        self._messages.append({"type": "http.request" if ends else "http.disconnect", "body": b"", "more_body": False})

    async def receive(self) -> Message:
        return self._messages.pop(0)


async def read(body: Body, kind: bytes = KIND) -> list[tuple[str, str | None, bytes]]:
    return [
        (part.name, part.filename, b"".join([piece async for piece in part.pieces]))
        async for part in Form(kind, body.receive).parts()
    ]


def written(parts: Sequence[tuple[str, str | None, bytes]]) -> bytes:
    form = b""
    for name, filename, content in parts:
        form += b'--limit\r\nContent-Disposition: form-data; name="' + name.encode() + b'"'
        form += b"" if filename is None else b'; filename="' + filename.encode() + b'"\r\nContent-Type: x/y'
        form += b"\r\n\r\n" + content + b"\r\n"
    return form + b"--limit--\r\n"


def cut(content: bytes, places: Sequence[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[low:high] for low, high in pairwise(bounds)]


names = st.text("abc[]äß _-", min_size=1, max_size=8).map(str.strip).filter(bool)
# Contents that look like the ends of parts.
contents = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--limit", b"limit", b"x", b"\x00\xff"]), max_size=12).map(
    b"".join
)
parts = st.lists(st.tuples(names, st.none() | names, contents), max_size=5)


@given(parts=parts, places=st.lists(st.integers(0, 10_000), max_size=12))
async def test_a_form_is_the_same_wherever_it_is_cut(
    parts: list[tuple[str, str | None, bytes]], places: list[int]
) -> None:
    kept = [part for part in parts if b"\r\n--limit" not in b"\r\n" + part[2]]
    assert await read(Body(cut(written(kept), places))) == kept


@given(content=st.binary(max_size=300), places=st.lists(st.integers(0, 300), max_size=4))
async def test_what_is_no_form_is_called_so(content: bytes, places: list[int]) -> None:
    for body in (content, b"--limit\r\n" + content, written([("a", None, content)])[: len(content)]):
        try:
            await read(Body(cut(body, places)))
        except Malformed as error:
            assert str(error)


async def test_a_part_that_nobody_takes_is_passed_over() -> None:
    body = Body(cut(written([("a", "a.txt", b"x" * 1000), ("b", None, b"y")]), range(0, 1000, 7)))
    assert [part.name async for part in Form(KIND, body.receive).parts()] == ["a", "b"]


async def test_a_client_that_goes() -> None:
    whole = written([("a", "a.txt", b"x" * 1000)])
    with pytest.raises(ClientDisconnect):
        await read(Body([whole[:500]], ends=False))


@pytest.mark.parametrize(
    "kind", [b"", b"application/json", b"multipart/form-data", b"multipart/form-data; boundary=", b"x" * 5000]
)
async def test_other_types(kind: bytes) -> None:
    with pytest.raises(NotMultipart):
        await read(Body([]), kind)


async def test_the_type_may_be_written_in_capitals_and_quoted() -> None:
    kind = b'Multipart/Form-Data; charset=utf-8; boundary="limit"'
    assert await read(Body([written([("a", None, b"x")])]), kind) == [("a", None, b"x")]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    fields=st.dictionaries(
        st.sampled_from(
            ["purpose", "file", "expires_after", "expires_after[anchor]", "expires_after[seconds]", "a[b]"]
        ),
        st.sampled_from(["vision", "batch", "created_at", "7200", "-1", "", "\x00", "9" * 30]) | st.text("ab[]\x00é"),
    ),
    filename=st.none() | st.text("ab/\\.\x00\"'%;é\u202e", max_size=8),
    places=st.lists(st.integers(0, 2000), max_size=5),
)
async def test_strange_uploads(caller: Any, fields: dict[str, str], filename: str | None, places: list[int]) -> None:
    form = [(name, None, value.encode()) for name, value in fields.items()]
    if filename is not None:
        form.append(("file", filename.replace('"', "'"), b"abc"))

    async def pieces() -> Any:
        for piece in cut(written(form), places):
            yield piece

    response = await caller.http.post("/files", content=pieces(), headers={"content-type": KIND.decode()})
    assert response.status_code in (200, 400), response.text
    if response.status_code == 200:
        downloaded = await caller.http.get(f"/files/{response.json()['id']}/content")
        assert downloaded.content == b"abc"
