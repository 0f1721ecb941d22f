"""The address of a database as a setting: what can be wrong with it before anybody has tried to connect."""

import ssl
from pathlib import Path
from typing import Final, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit


class Secret(Protocol):
    """What keeps a text from being shown by mistake; pydantic's SecretStr is one."""

    def get_secret_value(self) -> str:
        """Return the text."""
        ...


Address = TypeVar("Address", bound=Secret)

_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
"""The parameters that name files, as libpq calls them."""


def checked_address(url: Address) -> Address:
    """Return `url`. Raises ValueError where it is none of PostgreSQL, or names a file that cannot be read: without one,
    the driver would say the same as of a server that is away, and be waited for."""
    text = url.get_secret_value()
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("it does not begin with postgresql://")
    try:
        parts = urlsplit(text)
        parameters = parse_qs(parts.query)
    except ValueError:
        raise ValueError("it is no address") from None
    _check_ports(parts.netloc)
    modes = parameters.get("sslmode", [])
    if not set(modes) <= set(_MODES):
        raise ValueError(f"sslmode has to be one of {', '.join(_MODES)}")
    for name in _FILES:
        for path in parameters.get(name, []):
            try:
                with Path(path).open("rb"):
                    pass
            except OSError as error:
                raise ValueError(f"the file that {name} names cannot be read ({error.strerror})") from None
    for path in parameters.get("sslrootcert", []):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except ssl.SSLError as error:
            raise ValueError(f"the file that sslrootcert names holds no certificates ({error.reason})") from None
    return url


def _check_ports(netloc: str) -> None:
    for host in netloc.rpartition("@")[2].split(","):
        port = host.rpartition("]")[2].partition(":")[2]
        if port and not (port.isascii() and port.isdigit() and int(port) < 2**16):
            raise ValueError(
                "its port is no number; a '/', '@', '#' or '?' of the password is written %2F, %40, %23 or %3F"
            )
