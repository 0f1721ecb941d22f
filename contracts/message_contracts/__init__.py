"""The versioned contracts that all Threadworks services share: message types, topics, and the codec between them.

This is the only thing services share by content. A service builds and reads `Message`; `codec` turns it into the
bytes and headers of a Kafka record and back, validated both ways; `catalogue` knows the topics.
"""

from message_contracts import catalogue, codec
from message_contracts.errors import ContractError, InvalidMessage, UnknownType
from message_contracts.message import Message

__all__ = ["ContractError", "InvalidMessage", "Message", "UnknownType", "catalogue", "codec"]
