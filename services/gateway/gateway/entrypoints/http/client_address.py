"""The address of a client, for what is counted by address.

Behind a proxy every connection comes from the proxy, which says in X-Forwarded-For whom it serves. Anybody can write
that header, so it is believed only as far as it was written by proxies that a setting names.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from starlette.types import Scope

Networks: TypeAlias = Sequence[str]
"""Addresses, or networks as `10.0.0.0/8`."""
UNKNOWN: Final = "unknown"
"""Of a client that has no address, as on a Unix socket."""

_WITH_PORT: Final = re.compile(r"\[([^]]+)](?::\d+)?|([\d.]+):\d+", re.ASCII)
"""Some proxies name the port of their client, too, and it is another one each time."""
_HOUSEHOLD: Final = 64
"""Bits of an IPv6 address that one subscriber is given at least: all addresses within are the same client."""


class ClientAddresses:
    """Knows the trusted proxies."""

    def __init__(self, trusted: Networks) -> None:
        self._trusted = [ip_network(each) for each in trusted]

    def of(self, scope: Scope) -> str:
        """Return the address of whoever sent a request, as text."""
        client = scope.get("client")
        address = None if client is None else _parsed(client[0])
        if address is None:
            return UNKNOWN
        hops = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        claimed = b",".join(hops).decode("latin-1").split(",") if hops else []
        while claimed and any(address in network for network in self._trusted):
            before = _parsed(claimed.pop().strip())
            if before is None:
                break
            address = before
        return _counted(address)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    with_port = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((with_port[1] or with_port[2] if with_port else text).partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _counted(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, _HOUSEHOLD), strict=False))
