"""The header X-Tool-Credential: users' own credentials for tool services, as all dialects take them. For `endpoint`.

`X-Tool-Credential: moodle=<token>`; several are separated by commas, and one with nothing behind `=` is taken back.
While the request is answered no log line shows them, wherever it comes from.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from observability import masked_meanwhile
from pydantic import SecretStr

from gateway.application.credentials import CredentialRefused, GivenCredential, given_with_request
from gateway.entrypoints.http.exchange import Headers

HEADER: Final = b"x-tool-credential"
MOST: Final = 8
"""Services that one request may bring credentials for."""
LONGEST: Final = 4096
"""Characters of a credential."""
_PAIR: Final = re.compile(r"(?P<service>[a-z0-9][a-z0-9-]{0,62})=(?P<secret>[!-+\--~]*)", re.ASCII)


@contextmanager
def credentials_of(headers: Headers) -> Iterator[None]:
    """While the block runs, what it does takes the credentials of the request along. Raises `CredentialRefused`."""
    sent = headers.get(HEADER)
    if sent is None:
        yield
        return
    given = _read(sent)
    with ExitStack() as masked:
        for each in given:
            masked.enter_context(masked_meanwhile(each.secret.get_secret_value()))
        with given_with_request(given):
            yield


def _read(sent: bytes) -> list[GivenCredential]:
    given = []
    for part in sent.decode("latin-1").split(","):
        pair = _PAIR.fullmatch(part.strip())
        if pair is None or len(pair["secret"]) > LONGEST:
            # Nothing of it is repeated: whatever it is, it was meant to be secret.
            raise CredentialRefused(
                "The header X-Tool-Credential is the name of a tool service, '=' and a credential of at most "
                f"{LONGEST} characters, without spaces and commas."
            )
        given.append(GivenCredential(pair["service"], SecretStr(pair["secret"])))
    if len(given) > MOST or len({each.service for each in given}) != len(given):
        raise CredentialRefused(f"X-Tool-Credential names a tool service once, and {MOST} of them at the most.")
    return given
