"""The keys that users' own credentials are sealed with, and the only place where these are opened.

The gateway seals a credential with the public key that the service announces, for one thread of one tenant; it is
stored and sent only so (`tool-call.requested`, `credentials`). `process` and bootstraps build `SealingKeys` from the
setting, `answering` opens with them, and `threadworks keys sealing` makes them.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

import orjson
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from observability import register_secret
from pydantic import SecretStr

KEY_BYTES: Final = 32
KEY_ID_DIGITS: Final = 16
"""Digits of its fingerprint that a sealed credential names its key with."""


class CannotOpen(Exception):
    """What was sealed is not for these keys, not for this thread, or nothing that the gateway has sealed."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One private X25519 key. Its representation tells nothing of it."""

    _private: PrivateKey

    @classmethod
    def new(cls) -> Self:
        """Return a key that nobody else has."""
        return cls(PrivateKey.generate())

    @classmethod
    def read(cls, text: str) -> Self:
        """Read 32 bytes in standard Base64; ValueError for anything else."""
        try:
            raw = b64decode(text.strip(), validate=True)
        except ValueError:
            raw = b""
        if len(raw) != KEY_BYTES:
            raise ValueError("it is no private key, 32 bytes in Base64")
        return cls(PrivateKey(raw))

    @property
    def private(self) -> str:
        """The secret half, in Base64."""
        return b64encode(bytes(self._private)).decode()

    @property
    def public(self) -> str:
        """The half that is announced, in Base64."""
        return b64encode(bytes(self._private.public_key)).decode()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public half, 64 hexadecimal digits: what a gateway pins."""
        return sha256(bytes(self._private.public_key)).hexdigest()

    def open(self, box: bytes) -> bytes:
        """Return what is in a sealed box. Raises CannotOpen."""
        try:
            return bytes(SealedBox(self._private).decrypt(box))
        except (CryptoError, ValueError, TypeError):
            raise CannotOpen from None


class SealingKeys:
    """The keys of one service: the first is announced, all of them open."""

    def __init__(self, keys: Sequence[SealingKey] = ()) -> None:
        self._announced = keys[0] if keys else None
        self._by_id = {key.fingerprint[:KEY_ID_DIGITS]: key for key in keys}

    @classmethod
    def read(cls, text: SecretStr | None) -> Self:
        """Read private keys, separated by commas, and keep them out of the log. ValueError for what is no key."""
        listed = [each.strip() for each in (text.get_secret_value() if text is not None else "").split(",")]
        keys = [SealingKey.read(each) for each in listed if each]
        for key in keys:
            register_secret(key.private)
        return cls(keys)

    @property
    def public_key(self) -> str | None:
        """The public key to announce; None: the service takes no credentials."""
        return None if self._announced is None else self._announced.public

    def open(self, sealed: str, *, tenant: str, thread_id: str) -> SecretStr:
        """Return the credential that was sealed for a thread.

        Raises CannotOpen, also for what was sealed for another thread: whoever sees the box of somebody else could
        have it opened for himself otherwise.
        """
        key_id, _, box = sealed.partition(":")
        key = self._by_id.get(key_id)
        if key is None:
            raise CannotOpen
        try:
            found = orjson.loads(key.open(b64decode(box, validate=True)))
        except ValueError:
            raise CannotOpen from None
        if not isinstance(found, dict) or (found.get("tenant"), found.get("thread_id")) != (tenant, thread_id):
            raise CannotOpen
        secret = found.get("secret")
        if not isinstance(secret, str) or not secret:
            raise CannotOpen
        return SecretStr(secret)


def checked_keys(text: SecretStr | None) -> SecretStr | None:
    """Return the setting, or raise ValueError without repeating it. For settings classes."""
    SealingKeys.read(text)
    return text
