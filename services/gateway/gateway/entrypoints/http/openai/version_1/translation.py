"""Between the two versions: request bodies on their way in, replies on their way out.

Called by `operations` and by `versions`.
"""

from typing import Any, TypeVar

import orjson

from gateway.entrypoints.http.bytes_reply import BytesReply
from gateway.entrypoints.http.endpoint import Handler
from gateway.entrypoints.http.exchange import Call, Reply, StreamReply
from gateway.entrypoints.http.openai.requests.parsing import load, parse
from gateway.entrypoints.http.openai.version_1.presenters import in_version_1
from gateway.entrypoints.http.openai.version_1.requests.translated import Translated

Kind = TypeVar("Kind", bound=Translated)


async def read(call: Call, kind: type[Kind]) -> tuple[Kind, dict[str, Any]]:
    """Return the body of a request, and what it is in version 2. Raises `Refusal` where it is no `kind`."""
    body = await parse(call, kind)
    return body, kind.as_version_2(load(await call.body()))


async def call_of_version_2(call: Call, kind: type[Translated]) -> Call:
    """Return the same request with its body as version 2 has it. Raises `Refusal` where it is no `kind`."""
    _, translated = await read(call, kind)
    return with_body(call, translated)


def with_body(call: Call, body: dict[str, Any]) -> Call:
    """Return the same request with another body."""
    # Its type has been looked at where there was a body; where there was none, it may say anything.
    headers = {**call.headers, b"content-type": b"application/json"}
    return call.bringing(orjson.dumps(body), headers)


def replied_in_version_1(handler: Handler) -> Handler:
    """Return a handler that replies what `handler` does, as version 1 has it.

    Streams are left as they are: `event_writer` has written them.
    """

    async def reply_in_version_1(call: Call) -> Reply | BytesReply | StreamReply:
        reply = await handler(call)
        if not isinstance(reply, Reply):
            return reply
        return reply._replace(body=orjson.dumps(in_version_1(orjson.loads(reply.body))))

    return reply_in_version_1
