"""The data of each message type as a type: `RunRequestedV1` for `threadworks.run.requested.v1`, and so on.

Consumers say which one they expect (`data_as`), producers may build their data as one; mypy then knows every field.

They are TypedDicts, not pydantic models. The codec has validated the data against the same schema a moment earlier, so
a second parser would spend 3 to 10 µs a message to learn nothing; a TypedDict costs nothing and *is* the decoded data.
Fields that this version does not know stay in it. Times stay RFC 3339 text, and words of growing vocabularies are
`str`, because a newer producer may send one that this version has never heard of.

The other modules here are generated, one for each entity; a test fails when they and the schemas disagree.
"""

from __future__ import annotations

from typing import TypeVar, cast

from message_contracts.errors import ContractError
from message_contracts.message import Message

Model = TypeVar("Model")


def data_as(message: Message, model: type[Model]) -> Model:
    """The data of a message, typed: `data_as(message, RunRequestedV1)["run"]["id"]`.

    Raises ContractError when the model is that of another type or major.
    """
    if model.__name__ != model_name(message.type):
        raise ContractError(f"{message.type} does not carry {model.__name__}")
    return cast(Model, message.data)


def model_name(type_: str) -> str:
    """Name of the model of a message type: `threadworks.run-step.created.v1` → `RunStepCreatedV1`."""
    _, _, name = type_.partition(".")
    return "".join(word.capitalize() for word in name.replace("-", ".").replace("_", ".").split("."))
