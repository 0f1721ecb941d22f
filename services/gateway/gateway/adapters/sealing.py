"""Seals a user's credential for the tool service that is to use it. The gateway cannot open what it has sealed.

The form is the contract's (`credentials` of tool-call.requested). Handed to `application.credentials` by `bootstrap`.
"""

from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Final

import orjson
from nacl.public import PublicKey, SealedBox
from pydantic import SecretStr

_KEY_ID_DIGITS: Final = 16


def fingerprint_of(public_key: str) -> str:
    """Return the SHA-256 of a public key in Base64, 64 hexadecimal digits: what settings pin."""
    return sha256(b64decode(public_key)).hexdigest()


def seal(public_key: str, tenant_id: str, thread_id: str, secret: SecretStr) -> str:
    """Return the secret as only the owner of the key can read it, and use it for this thread alone."""
    content = {"tenant": tenant_id, "thread_id": thread_id, "secret": secret.get_secret_value()}
    box = SealedBox(PublicKey(b64decode(public_key))).encrypt(orjson.dumps(content))
    return f"{fingerprint_of(public_key)[:_KEY_ID_DIGITS]}:{b64encode(box).decode()}"
