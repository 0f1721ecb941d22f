"""Places of the feed as subscribers carry them: sealed, so that one says nothing and fits nobody else.

The offsets of a place count the events of all tenants, and the partitions are shared. So a place is encrypted with a
secret of the installation, and bound to the tenant: another one's is refused like any other text. Two of the same place
differ, so that nobody can tell whether something happened meanwhile.
"""

import hashlib
import os
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from gateway.application.event_feed.ports import FeedKeyStore, Place, Position

LONGEST: Final = 4096
"""Characters of a sealed place. 24 partitions, as there are, take 242; a header should not take much more than this."""

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 8
_TAG_BYTES: Final = 16
_OFFSET_BYTES: Final = 6
_TOPIC: Final = struct.Struct(">4sH")


class UnknownPlace(Exception):
    """A text that is no place of this installation's feed, or is another tenant's."""


class SealedPlaces:
    """Seals and opens, with a secret that is read when it is needed first."""

    def __init__(self, keys: FeedKeyStore, topics: tuple[str, ...]) -> None:
        self._keys = keys
        self._names = {_digest(name): name for name in sorted(topics)}
        self._cipher: AESSIV | None = None

    async def ready(self) -> None:
        """Have the secret at hand: `seal` and `unseal` need it. Raises `DatabaseUnavailable`."""
        if self._cipher is None:
            self._cipher = AESSIV(await self._keys.feed_key())

    def seal(self, tenant_id: str, place: Place) -> str:
        """Return a place as its tenant carries it: URL-safe, and the same length wherever it is."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ready.encrypt(self._packed(place), [_VERSION, tenant_id.encode(), nonce])
        return urlsafe_b64encode(_VERSION + nonce + sealed).rstrip(b"=").decode("ascii")

    def unseal(self, tenant_id: str, text: str) -> Place:
        """Return the place that a tenant was given. Raises `UnknownPlace` for anything else."""
        if len(text) > LONGEST:
            raise UnknownPlace
        try:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except ValueError:
            raise UnknownPlace from None
        # The decoder passes over what is no base64; one place has one form.
        if urlsafe_b64encode(raw).rstrip(b"=").decode() != text or raw[:1] != _VERSION:
            raise UnknownPlace
        nonce, sealed = raw[1 : 1 + _NONCE_BYTES], raw[1 + _NONCE_BYTES :]
        if len(sealed) <= _TAG_BYTES:
            raise UnknownPlace
        try:
            return self._unpacked(self._ready.decrypt(sealed, [_VERSION, tenant_id.encode(), nonce]))
        except InvalidTag:
            raise UnknownPlace from None

    @property
    def _ready(self) -> AESSIV:
        if self._cipher is None:
            raise RuntimeError("places are sealed before `ready`")
        return self._cipher

    def _packed(self, place: Place) -> bytes:
        packed: list[bytes] = []
        for digest, name in self._names.items():
            # Partitions are numbered 0, 1, 2 … and none is ever taken away.
            count = sum(1 for topic, _ in place if topic == name)
            packed.append(_TOPIC.pack(digest, count))
            packed += [place[name, number].to_bytes(_OFFSET_BYTES, "big") for number in range(count)]
        return b"".join(packed)

    def _unpacked(self, packed: bytes) -> Place:
        # What was sealed here is well-formed. A topic that is not public any more is passed over.
        place: dict[Position, int] = {}
        at = 0
        while at < len(packed):
            digest, count = _TOPIC.unpack_from(packed, at)
            at += _TOPIC.size
            name = self._names.get(digest)
            for number in range(count):
                if name is not None:
                    place[name, number] = int.from_bytes(packed[at : at + _OFFSET_BYTES], "big")
                at += _OFFSET_BYTES
        return place


def _digest(topic: str) -> bytes:
    return hashlib.sha256(topic.encode()).digest()[:4]
