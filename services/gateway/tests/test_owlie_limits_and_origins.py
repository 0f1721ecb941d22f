"""Who may call how often and from which pages, and uploads: what a dialect without keys needs all the more."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from gateway.application.course_catalogue import CatalogueUnusable
from gateway.entrypoints.http.client_address import UNKNOWN, ClientAddresses
from gateway.entrypoints.http.request_limit import WINDOW, RequestLimit, TooManyRequests
from gateway.settings import GatewaySettings
from pydantic import ValidationError

DATABASE = "postgresql://nobody@nowhere/nothing"


def scope(address: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return {"client": None if address is None else (address, 1), "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.9", [], "192.0.2.9"),
        ("192.0.2.9", ["198.51.100.1"], "192.0.2.9"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["203.0.113.66, 198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["203.0.113.66", "198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.1.2.3", ["10.9.9.9"], "10.9.9.9"),
        ("10.1.2.3", ["nonsense"], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1:50123"], "198.51.100.1"),
        ("10.1.2.3", ["[2001:db8:1:2::9]:50123, 10.9.9.9:80"], "2001:db8:1:2::/64"),
        ("10.1.2.3", ["[2001:db8:1:2::9]"], "2001:db8:1:2::/64"),
        ("10.1.2.3", ["[198.51.100.1:50123"], "10.1.2.3"),
        ("::ffff:10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1:2:3::4", [], "2001:db8:1:2::/64"),
        ("fe80::1%eth0", [], "fe80::/64"),
        (None, ["198.51.100.1"], UNKNOWN),
    ],
)
def test_the_address_of_a_client(peer: str | None, forwarded: list[str], client: str) -> None:
    assert ClientAddresses(["10.0.0.0/8"]).of(scope(peer, *forwarded)) == client


def test_nobody_is_believed_without_a_setting() -> None:
    assert ClientAddresses([]).of(scope("10.1.2.3", "198.51.100.1")) == "10.1.2.3"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_moving_window() -> None:
    clock = Clock()
    limit = RequestLimit(ClientAddresses([]), 3, clock)
    for second in (0.0, 10.0, 20.0):
        clock.now = 1000.0 + second
        limit.admit(scope("192.0.2.1"))
    clock.now = 1030.0
    with pytest.raises(TooManyRequests) as refused:
        limit.admit(scope("192.0.2.1"))
    assert refused.value.seconds == 30
    limit.admit(scope("192.0.2.2"))
    clock.now = 1000.0 + WINDOW
    limit.admit(scope("192.0.2.1"))
    with pytest.raises(TooManyRequests) as refused:
        limit.admit(scope("192.0.2.1"))
    assert refused.value.seconds == 10, "those that were refused do not count"


def test_who_does_not_come_again_is_forgotten() -> None:
    clock = Clock()
    limit = RequestLimit(ClientAddresses([]), 3, clock)
    for number in range(200):
        limit.admit(scope(f"192.0.2.{number}"))
    clock.now += WINDOW
    limit.admit(scope("198.51.100.1"))
    assert len(limit._times) == 1


async def test_the_limit_over_http(new_owlie: Any, caller: Any) -> None:
    owlie = new_owlie(owlie_requests_per_minute=2, address="192.0.2.7")
    for _ in range(2):
        await owlie.refused("GET", "/api/threads/x", 404)
    response = await owlie.http.post("/api/new", json={})
    assert response.status_code == 429
    assert list(response.json()) == ["detail"]
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert (await owlie.http.get("/v1/models")).status_code == 401, "other dialects know their callers"
    unlimited = new_owlie(owlie_requests_per_minute=0)
    for _ in range(5):
        await unlimited.refused("GET", "/api/threads/x", 404)


PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,authorization"}


@pytest.mark.parametrize("path", ["/api/new", "/api/threads/abc", "/v1/threads", "/v1/assistants/x", "/nowhere"])
async def test_preflights_of_every_dialect(new_owlie: Any, path: str) -> None:
    page = "https://chat.example"
    for origins, allowed in (("https://chat.example, https://b.example", page), ("*", "*")):
        open_to_pages = new_owlie(cors_origins=origins)
        reply = await open_to_pages.http.options(path, headers={"origin": page, **PREFLIGHT})
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == allowed
        assert "POST" in reply.headers["access-control-allow-methods"]
        assert "authorization" in reply.headers["access-control-allow-headers"].lower()
        refused = await open_to_pages.http.get(path, headers={"origin": page})
        assert refused.status_code >= 400
        assert refused.headers["access-control-allow-origin"] == allowed, "a page may read why it was refused"
        assert "x-request-id" in refused.headers["access-control-expose-headers"].lower()
    few = new_owlie(cors_origins="https://b.example")
    reply = await few.http.options(path, headers={"origin": page, **PREFLIGHT})
    assert reply.status_code == 400
    assert "access-control-allow-origin" not in reply.headers


async def test_without_the_setting_there_is_no_cors(owlie: Any) -> None:
    reply = await owlie.http.options("/api/new", headers={"origin": "https://chat.example", **PREFLIGHT})
    assert reply.status_code == 405
    assert not [name for name in reply.headers if name.startswith("access-control")]


async def test_an_upload_is_a_file_for_assistants(caller: Any, owlie: Any) -> None:
    sent = {"upload": ("../skript\u202e.pdf", b"%PDF-1.7"), "other": ("second.pdf", b"ignored")}
    reply = await owlie.http.post("/api/upload", files=sent, data={"thread": "x"})
    assert reply.status_code == 200
    assert reply.json() == {
        "file_id": reply.json()["file_id"],
        "filename": "skript.pdf",
        "bytes": 8,
        "created_at": reply.json()["created_at"],
    }
    found = await caller.get(f"/files/{reply.json()['file_id']}")
    assert (found["purpose"], found["filename"], found["bytes"]) == ("assistants", "skript.pdf", 8)
    key = {"idempotency-key": "one upload"}
    twice = [(await owlie.http.post("/api/upload", files={"f": ("a", b"b")}, headers=key)).json() for _ in range(2)]
    assert twice[0] == twice[1]


async def test_uploads_that_are_refused(new_owlie: Any) -> None:
    owlie = new_owlie(owlie_largest_file=2048)
    await owlie.refused("POST", "/api/upload", 413, files={"file": ("a", b"x" * 2049)})
    await owlie.refused("POST", "/api/upload", 413, files={"file": ("a", b"x" * 2 * 1024 * 1024)})
    assert "no file" in await owlie.refused("POST", "/api/upload", 422, files={"a": (None, "b")})
    await owlie.refused("POST", "/api/upload", 422, json={"file": "x"})
    broken = {"content-type": "multipart/form-data; boundary=x"}
    await owlie.refused("POST", "/api/upload", 422, content=b"--x\r\n", headers=broken)


async def test_an_upload_in_chunks_does_not_go_on_after_its_file(new_owlie: Any) -> None:
    async def long() -> AsyncIterator[bytes]:
        head = b'--x\r\ncontent-disposition: form-data; name="%b"; filename="a"\r\n\r\n'
        yield head % b"file" + b"short\r\n" + head % b"passed over"
        for _ in range(100):
            yield b"x" * 65536

    form = {"content-type": "multipart/form-data; boundary=x"}
    owlie = new_owlie(owlie_largest_file=2048)
    await owlie.refused("POST", "/api/upload", 413, content=long(), headers=form)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"owlie_keys": "nonsense"}, "no comma-separated list of Fernet keys"),
        ({"owlie_keys": "a" * 43 + "=,x"}, "no comma-separated list of Fernet keys"),
        ({"owlie_keys": "a" * 43 + "="}, "THREADWORKS_OWLIE_KEYS needs THREADWORKS_OWLIE_TENANT"),
        ({"trusted_proxies": "10.0.0.1/8"}, "no comma-separated list of addresses"),
        ({"owlie_catalogue": "/nowhere/courses.yaml"}, "cannot be read"),
        ({"owlie_requests_per_minute": -1}, "greater than or equal to 0"),
    ],
)
def test_settings_that_are_wrong(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises((ValidationError, CatalogueUnusable)) as wrong:
        GatewaySettings(database_url=DATABASE, **settings)
    assert reason in str(wrong.value)
