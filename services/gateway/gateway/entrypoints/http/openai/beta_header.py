"""Which version of the Assistants API a request asks for: `OpenAI-Beta: assistants=v1` or `=v2`.

Read by `access`, which may insist on it, and by `version_1`. Who says nothing means version 2.
"""

from typing import Final

from gateway.entrypoints.http.exchange import Headers

_VERSION_1: Final = b"assistants=v1"
_VERSION_2: Final = b"assistants=v2"


def names_a_version(headers: Headers) -> bool:
    """Whether the request says which version it means."""
    return not _named(headers).isdisjoint((_VERSION_1, _VERSION_2))


def asks_for_version_1(headers: Headers) -> bool:
    """Whether the request means version 1. One that names both, as SDKs and proxies add to each other, means 2."""
    named = _named(headers)
    return _VERSION_1 in named and _VERSION_2 not in named


def asks_for_version_2(headers: Headers) -> bool:
    """Whether the request says that it means version 2."""
    return _VERSION_2 in _named(headers)


def _named(headers: Headers) -> frozenset[bytes]:
    given = headers.get(b"openai-beta", b"")
    return frozenset(each.strip() for each in given.split(b",")) if given else frozenset()
