"""The address of a database as a setting: what can be wrong with it before anybody has tried to connect."""

from pathlib import Path
from typing import Final, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit


class Secret(Protocol):
    """What keeps a text from being shown by mistake; pydantic's SecretStr is one."""

    def get_secret_value(self) -> str:
        """Return the text."""
        ...


Address = TypeVar("Address", bound=Secret)

_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
"""The parameters that name files, as libpq calls them."""


def checked_address(url: Address) -> Address:
    """Return `url`. Raises ValueError where it is none of PostgreSQL, or names a file that cannot be read: without one,
    the driver would say the same as of a server that is away, and be waited for."""
    text = url.get_secret_value()
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("it does not begin with postgresql://")
    try:
        parameters = parse_qs(urlsplit(text).query)
    except ValueError:
        raise ValueError("it is no address") from None
    for name in _FILES:
        for path in parameters.get(name, []):
            try:
                with Path(path).open("rb"):
                    pass
            except OSError as error:
                raise ValueError(f"the file that {name} names cannot be read ({error.strerror})") from None
    return url
