"""GET /threads, which the original never had: pages of all threads, and of those with some metadata."""

from typing import Any

import pytest
from gateway.entrypoints.http.openai.refusals import Refusal
from gateway.entrypoints.http.openai.requests.searching import wanted_metadata


async def test_pages_of_threads(caller: Any, new_caller: Any) -> None:
    await (await new_caller()).thread()
    assert await caller.get("/threads") == {
        "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False,
    }  # fmt: skip
    made = [await caller.post("/threads", {"metadata": {"n": str(number)}}) for number in range(3)]
    assert (await caller.get("/threads"))["data"] == made[::-1]
    page = await caller.get("/threads", limit=2, order="asc")
    assert page == {
        "object": "list",
        "data": made[:2],
        "first_id": made[0]["id"],
        "last_id": made[1]["id"],
        "has_more": True,
    }
    assert (await caller.get("/threads", order="asc", after=made[0]["id"]))["data"] == made[1:]
    assert (await caller.get("/threads", order="asc", before=made[1]["id"]))["data"] == made[:1]
    error = await caller.refused("GET", "/threads", 404, params={"after": "thread_missing"})
    assert error["message"] == "No thread found with id 'thread_missing'."
    assert (await caller.refused("GET", "/threads", params={"limit": 101}))["code"] == "integer_above_max_value"


async def test_threads_are_found_by_their_metadata(caller: Any) -> None:
    ada = await caller.post("/threads", {"metadata": {"course": "51589", "user": "Ada Lovelace & co"}})
    eva = await caller.post("/threads", {"metadata": {"course": "51589", "user": "Eva", "note": ""}})
    await caller.post("/threads", {"metadata": {"course": "1"}})
    await caller.thread()
    found = await caller.get("/threads", **{"metadata[course]": "51589"})
    assert found["data"] == [eva, ada]
    found = await caller.get("/threads", **{"metadata[course]": "51589", "metadata[user]": "Ada Lovelace & co"})
    assert found["data"] == [ada]
    assert (await caller.get("/threads", **{"metadata[note]": ""}))["data"] == [eva]
    assert (await caller.get("/threads", **{"metadata[course]": "51589", "limit": 1}))["has_more"] is True
    assert (await caller.get("/threads", **{"metadata[user]": "ada"}))["data"] == []


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (b"", {}),
        (b"limit=3&order=asc", {}),
        (b"metadata[a]=b", {"a": "b"}),
        (b"metadata%5Ba%5D=b%20c", {"a": "b c"}),
        (b"metadata[a]=b&metadata[c]=&limit=1", {"a": "b", "c": ""}),
        (b"metadata[a]=b&metadata[a]=c", {"a": "c"}),
        ("metadata[ä]=ü".encode(), {"ä": "ü"}),
        (b"metadata[a[b]]=c", {"a[b]": "c"}),
        (b"metadatax=1", {}),
    ],
)
def test_queries(query: bytes, wanted: dict[str, str]) -> None:
    assert wanted_metadata(query) == wanted


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        (b"metadata=x", "invalid_type", "metadata"),
        (b"&".join(b"metadata[%d]=x" % number for number in range(17)), "object_above_max_properties", "metadata"),
        (b"metadata[a]=" + b"x" * 513, "string_above_max_length", "metadata.a"),
        (b"metadata[" + b"k" * 65 + b"]=x", "property_name_above_max_length", f"metadata.{'k' * 64}..."),
    ],
)
def test_refused_queries(query: bytes, code: str, param: str) -> None:
    with pytest.raises(Refusal) as caught:
        wanted_metadata(query)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)
