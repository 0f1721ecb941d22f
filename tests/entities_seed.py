"""What the document of entities_api shows of its API (seed 002): the shapes of threads and messages, by examples.

Used by the tests of `/entities`: a reply has exactly these keys, with values of these kinds. The document prints what
its client library keeps of a thread, which leaves the participants out of the reply.
"""

from typing import Any, Final

THREAD: Final[dict[str, Any]] = {
    "id": "thread_vLbg2nyS2WqqbbxlMELylH",
    "created_at": 1726626670,
    "meta_data": {"topic": ""},
    "object": "thread",
    "tool_resources": {},
}
THREAD_IDS: Final = ["thread_xhxuh7xjL9W0obWJYEyr6z"]
USER_MESSAGE: Final[dict[str, Any]] = {
    "id": "message_ok2GDPEHsN1FyFNIux5I8G",
    "assistant_id": None,
    "attachments": [],
    "completed_at": None,
    "content": "Hello",
    "created_at": 1726624506,
    "incomplete_at": None,
    "incomplete_details": None,
    "meta_data": {},
    "object": "message",
    "role": "user",
    "run_id": None,
    "status": None,
    "thread_id": "thread_Vg3trkDAYOJM7CSwOfN9TN",
    "sender_id": "user_8tYOlZFZ36TDirMUbGvJ9g",
}
INTERRUPTED_ANSWER: Final[dict[str, Any]] = {
    **USER_MESSAGE,
    "id": "message_vSnKsWsPIdIBcL8bAx38ef",
    "assistant_id": "assistant_id",
    "completed_at": 1726624643,
    "content": "Francis! I'd be happy to help you test the interrupt button feature.\n\nHere's a lengthy passage on "
    'time travel:\n\n"Time travel, a staple of science fiction for centuries, has long been a topic of fascination and '
    "debate among physicists and theorists. The concept of traversing the fabric of",
    "created_at": 1726624643,
    "role": "assistant",
    "sender_id": "assistant",
}
TOOL_MESSAGE: Final[dict[str, Any]] = {
    **USER_MESSAGE,
    "id": "message_4lalK5iReI8BgFSOB9r0sf",
    "completed_at": 1726625457,
    "content": '{"result": {"code": "print(\'Hello, World!\')", "output": "Hello, World!"}}',
    "created_at": 1726625457,
    "role": "tool",
    "sender_id": "tool",
}

ID: Final = r"(thread|message|user|run|asst|tool|action)_[0-9A-Za-z]{22}"


def shape(value: Any) -> Any:
    """The kinds of a JSON value and of all that is in it; ids by their prefix."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    if isinstance(value, str) and "_" in value and len(value.rpartition("_")[2]) == 22:
        return value.rpartition("_")[0]
    return type(value).__name__
