"""What can be wrong with a message. Raised by the codec and the catalogue; the event bus and the relay catch them.

No error here ever holds text of the payload, so each may be logged and written into a dead letter's headers.
"""

from __future__ import annotations


class ContractError(Exception):
    """A message, or a question about one, does not fit the contracts."""


class InvalidMessage(ContractError):
    """The message is malformed or does not fit the schema of its type. It will never become valid: do not retry."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownType(ContractError):
    """This version of the contracts does not know the type, or not this major of it. Consumers skip and count it."""

    def __init__(self, type_: str) -> None:
        super().__init__(f"unknown message type {type_!r}")
        self.type = type_
